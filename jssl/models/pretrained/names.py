"""Which tensors of a file make up which parameters of a network, in both directions.

A map of names is a dict from the path of a parameter, 'blocks.attention.qkv.kernel', to an `Entry`. Both reading and writing use it.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import numpy as np
from flax import nnx

from jssl.errors import PretrainedError
from jssl.models.pretrained import files

LAYER = '*'  # in a tensor's name: the number of the layer


class Entry(NamedTuple):
  """Where one parameter lies in a file.

  Attributes:
    names: the tensors that it is made of. With '*' for the number of the layer in them, the parameter is stacked on a leading layer axis.
    read: the tensors (None for an empty name) -> the parameter, or one layer of it.
    write: its inverse; None in place of a tensor that another entry writes.
  """

  names: tuple[str, ...]
  read: Callable[..., np.ndarray]
  write: Callable[[np.ndarray], Sequence[np.ndarray | None]]


Names = Mapping[str, Entry]


def same(name: str) -> Entry:
  """A tensor that is the parameter."""
  return Entry((name,), lambda x: x, lambda x: (x,))


def shaped(name: str, to: Callable[[np.ndarray], np.ndarray], back: Callable[[np.ndarray], np.ndarray]) -> Entry:
  """A tensor in another form, as `to` gives it; `back` is the inverse."""
  return Entry((name,), to, lambda x: (back(x),))


def linear(*names: str, sizes: Sequence[int] | None = None) -> Entry:
  """Kernels [out in] of linear maps, side by side as one kernel [in out].

  Args:
    *names: of the kernels.
    sizes: width of what each map gives; None where they are equal.
  """
  return Entry(names, lambda *x: np.concatenate([w.T for w in x], -1), lambda x: [w.T for w in _apart(x, len(names), sizes)])


def vector(*names: str, sizes: Sequence[int] | None = None) -> Entry:
  """Biases side by side as one; an empty name is a bias of zeros, which the file does not hold."""

  def read(*x):
    like = next(w for w in x if w is not None)
    return np.concatenate([np.zeros_like(like) if w is None else w for w in x], -1)

  return Entry(names, read, lambda x: _apart(x, len(names), sizes))


def conv(name: str) -> Entry:
  """A kernel of a convolution over any number of axes, [out in *axes] as [*axes in out]."""
  to = lambda x: np.moveaxis(x, (0, 1), (-1, -2))
  return shaped(name, to, lambda x: np.moveaxis(x, (-1, -2), (0, 1)))


def patches(name: str, patch: int) -> Entry:
  """The kernel [d c p p] of a convolution that cuts patches, as that of the linear map [p*p*c d] of `patchify`."""
  to = lambda x: x.transpose(2, 3, 1, 0).reshape(-1, len(x))
  return shaped(name, to, lambda x: x.reshape(patch, patch, -1, x.shape[-1]).transpose(3, 2, 0, 1))


def norm(path: str, name: str, *, bias: bool = True) -> dict[str, Entry]:
  """Scale and bias of a normalisation, whose tensors are NAME.weight and NAME.bias."""
  found = {f'{path}.scale': same(f'{name}.weight'), f'{path}.bias': same(f'{name}.bias')}
  return found if bias else {f'{path}.scale': found[f'{path}.scale']}


def dense(path: str, *names: str, bias: bool = True, sizes: Sequence[int] | None = None) -> dict[str, Entry]:
  """Kernel and bias of a linear map, or of several side by side, whose tensors are NAME.weight and NAME.bias."""
  found = {f'{path}.kernel': linear(*(f'{name}.weight' for name in names), sizes=sizes)}
  return found | ({f'{path}.bias': vector(*(f'{name}.bias' for name in names), sizes=sizes)} if bias else {})


def tensors_of(net: nnx.Module, names: Names) -> dict[str, np.ndarray]:
  """The tensors of a network by their names in a file."""
  return written({path: np.asarray(x[...]) for path, x in arrays(net).items()}, names)


def written(params: Mapping[str, np.ndarray], names: Names) -> dict[str, np.ndarray]:
  """Parameters by path -> tensors by their names in a file; of several that write to one tensor each is a part, in the order of the map."""
  found = {}

  def put(entry, x, layer=''):
    for name, tensor in zip(entry.names, entry.write(x), strict=True):
      if name and tensor is not None:
        name = name.replace(LAYER, layer)
        found[name] = np.concatenate([found[name], tensor]) if name in found else tensor

  for path, entry in names.items():
    if _stacked(entry):
      for i, x in enumerate(params[path]):
        put(entry, x, str(i))
    else:
      put(entry, params[path])
  return found


def fill(net: nnx.Module, found: Mapping[str, files.Stored], names: Names, *, folder: Any, first: bool = False) -> nnx.Module:
  """The network with the weights of files, whose names and shapes are checked now and which are read when the arrays are made.

  A parameter that is in no entry keeps the value that it was made with.

  Args:
    net: as it is made; of a stack of blocks it may have the first alone.
    found: tensors by the names of the map.
    names: of the parameters.
    folder: for messages.
    first: whether the file may hold more blocks than the network has.

  Raises:
    PretrainedError: the weights are not those of such a network.
  """
  held = arrays(net)
  if unknown := sorted(names.keys() - held.keys()):
    raise ValueError(f'the map of names has {unknown[0]!r}, which a {type(net).__name__} does not have')
  with np.errstate(all='ignore'):
    empty = written({path: np.broadcast_to(np.float32(0), x.shape) for path, x in held.items()}, names)
  for name, like in empty.items():
    if name not in found:
      raise PretrainedError(f'{folder} has no tensor {name!r}: its weights are not those of the network in its config.json')
    path, key, shape, dtype = found[name]
    if dtype not in files.FLOATS:
      raise PretrainedError(f'{key!r} in {path} is of the type {dtype}: expected numbers of 16, 32 or 64 bits')
    if shape != like.shape:
      raise PretrainedError(f'{name!r} in {path} has the shape {shape}: config.json says {like.shape}; they must be from one network')
  plain = lambda name: '.'.join(LAYER if part.isdigit() else part for part in name.split('.'))
  known = {plain(name) for name in empty} if first else set()
  if more := sorted(name for name in found.keys() - empty.keys() if plain(name) not in known):
    raise PretrainedError(f'{folder} has tensors that the network in its config.json lacks, {more[0]!r} first: they must be from one network')
  for path, entry in names.items():
    shape = held[path].shape
    source = Source(str(folder), path, partial(_read, found, entry, shape))
    # A callback, not constants: a compiled init does not hold the weights, and they are not read for shapes.
    held[path].set_value(jax.pure_callback(source.read, jax.ShapeDtypeStruct(shape, np.float32)))
    held[path].set_metadata(source=source)
  return net


@dataclasses.dataclass(frozen=True)
class Source:
  """Where a parameter comes from, kept with it so that each device can read its share alone."""

  folder: str
  path: str
  read: Callable[..., np.ndarray] = dataclasses.field(compare=False)  # a slice of each dimension -> that part, float32; none for all


def arrays(net: nnx.Module) -> dict[str, nnx.Variable]:
  """Parameters and running statistics of a network by their paths."""
  found = {}
  for path, of in nnx.iter_graph(net):
    if isinstance(of, nnx.Param | nnx.BatchStat):
      found['.'.join(map(str, path))] = of
  return found


def _read(found: Mapping[str, files.Stored], entry: Entry, shape: tuple[int, ...], *index: slice) -> np.ndarray:
  index = index or (slice(None),) * len(shape)
  if not _stacked(entry):
    # Not ascontiguousarray, which makes a vector of a scalar.
    return np.asarray(entry.read(*(files.read(found[name]) if name else None for name in entry.names))[index], order='C')
  layer = lambda i: entry.read(*(files.read(found[name.replace(LAYER, str(i))]) if name else None for name in entry.names))
  return np.stack([layer(i)[index[1:]] for i in range(shape[0])[index[0]]])


def _stacked(entry: Entry) -> bool:
  return any(LAYER in name for name in entry.names)


def _apart(x: np.ndarray, parts: int, sizes: Sequence[int] | None) -> list[np.ndarray]:
  return np.split(x, parts if sizes is None else np.cumsum(sizes)[:-1], -1)
