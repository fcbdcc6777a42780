"""An encoder as StableHLO, which `jax.export` writes and any JAX runs, for a batch of any size."""

from collections.abc import Sequence
from pathlib import Path

import jax
import numpy as np
from jax import export

from jssl.data.core.pictures import first_line
from jssl.errors import ConfigError
from jssl.exports.encoder import Encoder, compare, examples
from jssl.options import closest

FILE, WEIGHTS = 'model.stablehlo', 'model.safetensors'
PLATFORMS = ('cpu', 'cuda', 'tpu')
INSIDE = 2**29  # bytes of weights up to which they are constants of the program; a program has at most 2 GiB
USE = """from jax import export
{load}
with open("FOLDER/model.stablehlo", "rb") as file:
  encode = export.deserialize(bytearray(file.read())).call
z = encode({given})["pooled"]"""


def write(folder: Path, encoder: Encoder, platforms: Sequence[str], bound: float) -> str:
  """Writes model.stablehlo, with model.safetensors beside it where the weights are large; returns the code that opens them.

  Raises:
    ConfigError: a platform is unknown or the one in use is missing, the network cannot be exported, or the program differs from it.
  """
  here = {'gpu': 'cuda'}.get(jax.default_backend(), jax.default_backend())
  if not isinstance(platforms, tuple | list) or (wrong := [name for name in platforms if name not in PLATFORMS]):
    wrong = wrong[0] if isinstance(platforms, tuple | list) else platforms
    raise ConfigError(f'platforms names {wrong!r}{closest(wrong, PLATFORMS)}')
  if here not in platforms:
    raise ConfigError(f'platforms are {tuple(platforms)}, but the program is checked on {here}: add it')
  spec, weights = encoder.spec, {name: np.asarray(x) for name, x in encoder.weights.items()}
  beside = sum(x.nbytes for x in weights.values()) > INSIDE
  (size,) = export.symbolic_shape('b')
  x = jax.ShapeDtypeStruct((size, *spec.shape), spec.dtype)
  try:
    if beside:
      like = {name: jax.ShapeDtypeStruct(w.shape, w.dtype) for name, w in weights.items()}
      made = export.export(jax.jit(encoder.call), platforms=platforms)(like, x)
    else:
      made = export.export(jax.jit(lambda x: encoder.call(encoder.weights, x)), platforms=platforms)(x)
  except Exception as error:  # of a network that asks for a batch of known size, of any type
    raise ConfigError(f'the network cannot be exported as stablehlo ({first_line(error)}); write its shapes as x.shape, not len(x)') from error
  try:
    (folder / FILE).write_bytes(made.serialize())
  except ImportError as error:
    raise ConfigError(f"jax.export needs flatbuffers ({first_line(error)}): pip install 'jssl[stablehlo]'") from error
  given = ()
  if beside:
    from safetensors.numpy import load_file, save_file

    save_file(weights, folder / WEIGHTS, metadata={'format': 'jssl'})
    given = (load_file(folder / WEIGHTS),)
  batch = examples(encoder)
  found = export.deserialize(bytearray((folder / FILE).read_bytes())).call(*given, batch)
  compare(found, encoder.expected(batch), bound)
  load = f'from safetensors.numpy import load_file\n\nweights = load_file("FOLDER/{WEIGHTS}")' if beside else ''
  return USE.format(load=load, given='weights, x' if beside else 'x')
