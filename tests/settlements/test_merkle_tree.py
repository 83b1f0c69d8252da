"""The tree of RFC 6962: known roots, and a way from each leaf to the root in trees of every size."""

import hashlib

import pytest

from settlements.proof.tree import Growing, leaf_hash, leaf_text, node_hash

# The leaves of the tests of the Certificate Transparency log, and the roots over the first n of them.
LEAVES = [bytes.fromhex(text) for text in (
    "", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f",
)]  # fmt: skip
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def defined(leaves: list[bytes]) -> bytes:
    """MTH of RFC 6962, 2.1, word for word."""
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    k = 1
    while 2 * k < len(leaves):
        k *= 2
    return hashlib.sha256(b"\x01" + defined(leaves[:k]) + defined(leaves[k:])).digest()


def walked(leaf: bytes, position: int, size: int, path: list[bytes]) -> bytes:
    """The root that a way leads to."""
    if size == 1:
        assert not path
        return leaf
    k = 1 << (size - 1).bit_length() - 1
    if position < k:
        return node_hash(walked(leaf, position, k, path[:-1]), path[-1])
    return node_hash(path[-1], walked(leaf, position - k, size - k, path[:-1]))


def grown(leaves: list[bytes], proving: int | None = None) -> Growing:
    tree = Growing(proving)
    for leaf in leaves:
        tree.add(leaf_hash(leaf))
    return tree


@pytest.mark.parametrize("size", range(1, 9))
def test_the_roots_are_those_of_certificate_transparency(size: int) -> None:
    assert grown(LEAVES[:size]).root().hex() == ROOTS[size - 1]


@pytest.mark.parametrize("size", [*range(1, 20), 31, 32, 33, 64, 65, 100])
def test_every_leaf_finds_its_way_to_the_root(size: int) -> None:
    leaves = [b"%d" % number for number in range(size)]
    for position in range(size):
        tree = grown(leaves, proving=position)
        assert tree.root() == defined(leaves)
        assert walked(leaf_hash(leaves[position]), position, size, tree.path) == defined(leaves)


def test_a_tree_without_leaves_has_no_root() -> None:
    with pytest.raises(ValueError, match="a tree has a leaf"):
        Growing().root()


def test_a_leaf_says_whose_chain_it_is_how_long_and_where_it_ends() -> None:
    assert leaf_text(7, 12, b"\xab" * 32).decode() == f"intent 7 12 {'ab' * 32}"
    assert leaf_text(0, 0, bytes(32)).decode() == f"office 0 {'00' * 32}"
