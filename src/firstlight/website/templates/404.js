
    // A host shows this page at any address below the site: the front page is where the site's list of
    // files is, here or in a folder above.
    const link = document.querySelector("a");
    let folder = new URL(".", location);
    while (!(await fetch(new URL("$listing", folder))).ok && folder.pathname !== "/")
      folder = new URL("..", folder);
    link.href = new URL("index.html", folder);
  