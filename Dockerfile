# The page and its API, without TensorFlow: docs/deploy.md.
FROM python:3.12-slim

COPY . /source
RUN pip install --no-cache-dir --disable-pip-version-check /source && rm -r /source \
    && useradd --create-home firstlight

USER firstlight
WORKDIR /home/firstlight
EXPOSE 8000
HEALTHCHECK --start-period=20s --interval=30s --timeout=5s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/', timeout=4)"]
ENTRYPOINT ["firstlight"]
CMD ["serve", "--host", "0.0.0.0", "--read-only"]
