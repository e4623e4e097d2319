"""Small rings of tensors in shared memory."""

from lambdas.tensors.ring import create

SIZE = 4 * 3 * 8 * 8


def ring_of(folder, name="t0", incarnation="a", slots=4, model="m"):
    return create(folder.ring(name), incarnation, model, slots, SIZE)
