"""The addresses at which browsers reach this machine."""

import ipaddress
import socket
import struct
import sys
from collections.abc import Iterator
from pathlib import Path

from firstlight.serve import guard

# Addresses that nobody has, for documentation (RFC 5737, RFC 3849). A socket that is "connected" to
# one says which of the machine's own addresses it would send from; nothing is sent.
ELSEWHERE = {socket.AF_INET: "192.0.2.1", socket.AF_INET6: "2001:db8::1"}
LOOPBACK = {socket.AF_INET: "127.0.0.1", socket.AF_INET6: "::1"}
GET_ADDRESS = 0x8915  # Linux: SIOCGIFADDR, netdevice(7)


def urls(host: str, listener: socket.socket) -> tuple[str, ...]:
    """Return the URLs at which browsers reach a server, IPv4 first.

    Args:
        host: what the server was told to bind: an address or a name.
        listener: its socket, which is bound.
    """
    bound, port = listener.getsockname()[:2]
    hosts = [bound]
    if bound in guard.ALL_ADDRESSES:
        families = families_of(listener)
        hosts = [each for family in families for each in own_addresses(family)]
        hosts = hosts or [LOOPBACK[families[0]]]
    elif not guard.is_ip_address(host) and not guard.is_loopback(host):
        hosts = [host]  # a name, which people remember
    return tuple(f"http://{f'[{each}]' if ':' in each else each}:{port}/" for each in hosts)


def families_of(listener: socket.socket) -> list[socket.AddressFamily]:
    """Return the kinds of addresses by which a socket that is bound to all of them is reached."""
    if listener.family == socket.AF_INET:
        return [socket.AF_INET]
    ipv6_alone = listener.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY)
    return [socket.AF_INET6] if ipv6_alone else [socket.AF_INET, socket.AF_INET6]


def own_addresses(family: socket.AddressFamily) -> list[str]:
    """Return this machine's addresses in its networks, the likeliest first.

    An outgoing address that is no network card's comes last: it may be that of a VPN.
    """
    outgoing, of_cards = list(outgoing_address(family)), list(card_addresses(family))
    found = dict.fromkeys([*outgoing, *of_cards])
    return sorted(filter(is_reachable, found), key=lambda each: each not in of_cards)


def is_reachable(address: str) -> bool:
    """Return whether others can open an address; a link-local one works in no browser."""
    parsed = ipaddress.ip_address(address.partition("%")[0])
    return not (parsed.is_loopback or parsed.is_link_local or parsed.is_unspecified)


def outgoing_address(family: socket.AddressFamily) -> Iterator[str]:
    """Yield the address from which this machine reaches other networks, if it reaches any."""
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((ELSEWHERE[family], 9))
            yield probe.getsockname()[0]
    except OSError:
        return


def card_addresses(family: socket.AddressFamily) -> Iterator[str]:
    """Yield the addresses of the network cards.

    A classroom's network may lead nowhere else, so that there is no outgoing address. On Linux the
    cards are asked, because the host name stands for a loopback address there, or also for
    addresses of Docker.
    """
    if sys.platform == "linux" and family == socket.AF_INET:
        yield from linux_card_addresses()
        return
    try:
        infos = socket.getaddrinfo(socket.gethostname(), None, family, socket.SOCK_STREAM)
    except OSError:
        return
    yield from (str(info[4][0]) for info in infos)


def linux_card_addresses() -> Iterator[str]:
    """Yield the IPv4 address of each network card; bridges and tunnels are no devices."""
    import fcntl

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        for _, name in socket.if_nameindex():
            if not Path("/sys/class/net", name, "device").exists():
                continue
            try:
                answer = fcntl.ioctl(probe, GET_ADDRESS, struct.pack("256s", name.encode()))
            except OSError:  # this card has no address
                continue
            yield socket.inet_ntoa(answer[20:24])
