"""An encoder as ONNX, for a batch of any size, by jax2onnx."""

import contextlib
import io
import logging
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import ClosedJaxpr, Literal

from jssl.data.core.pictures import first_line
from jssl.errors import ConfigError
from jssl.exports.encoder import Encoder, compare, examples

FILE = 'model.onnx'
# Operations that only call others.
CALLS = ('jit', 'closed_call', 'core_call', 'checkpoint', 'remat2', 'custom_jvp_call', 'custom_vjp_call')
USE = """import onnxruntime

session = onnxruntime.InferenceSession("FOLDER/model.onnx")
(z,) = session.run(["pooled"], {{"{column}": x}})"""


def write(folder: Path, encoder: Encoder, outputs: Sequence[str], bound: float) -> str:
  """Writes model.onnx, with model.onnx.data beside it where the weights are large; returns the code that runs it.

  Raises:
    ConfigError: jax2onnx is not installed, has no form of an operation, or what it writes differs from the network.
  """
  try:
    import onnxruntime

    with _quiet():
      from jax2onnx import to_onnx
  except ImportError as error:
    raise ConfigError(
      f"writing onnx needs jax2onnx ({error}): pip install 'jssl[onnx]', then pip install --no-deps jax2onnx==0.17.1"
    ) from error
  spec = encoder.spec
  # The network is traced before jax2onnx puts operations of its own in the place of functions of JAX and Flax.
  one = jax.make_jaxpr(lambda x: encoder.one(encoder.weights, x))(jax.ShapeDtypeStruct(spec.shape, spec.dtype))
  call = lambda x: jax.vmap(lambda x: unrolled(one, x))(x)
  (size,) = jax.export.symbolic_shape('b')
  names = sorted(outputs)  # as a dict is flattened
  cumsum = jnp.cumsum
  try:
    with _quiet():
      given = [jax.ShapeDtypeStruct((size, *spec.shape), spec.dtype)]
      named = dict(input_names=[encoder.column], output_names=names, model_name='encoder')
      to_onnx(call, given, **named, return_mode='file', output_path=str(folder / FILE))
  except NotImplementedError as error:
    operation = re.search(r"primitive '([\w.-]+)'", str(error))
    what = f'the operation {operation[1]!r}' if operation else f'an operation of this network ({first_line(error)})'
    raise ConfigError(f'jax2onnx cannot convert {what}; export the model as stablehlo, or use another network') from error
  except Exception as error:  # of jax2onnx, of any type
    raise ConfigError(f'jax2onnx cannot convert this network ({first_line(error)}); export the model as stablehlo') from error
  finally:
    jnp.cumsum = cumsum  # jax2onnx 0.17.1 leaves a function of its own in its place
  batch = examples(encoder)
  onnxruntime.set_default_logger_severity(3)
  try:
    session = onnxruntime.InferenceSession(str(folder / FILE), providers=['CPUExecutionProvider'])
    found = dict(zip(names, session.run(names, {encoder.column: batch}), strict=True))
  except Exception as error:  # of onnxruntime, of any type
    raise ConfigError(f'onnxruntime cannot run the converted network ({first_line(error)}); export it as stablehlo') from error
  with jax.default_matmul_precision('highest'):
    compare(found, encoder.expected(batch), bound)
  return USE.format(column=encoder.column)


def unrolled(jaxpr: ClosedJaxpr, *given: Any) -> list[Any]:
  """Runs a program operation by operation: calls and loops of known length are written out, what depends on no input is computed now.

  Of what is written differently for each platform it takes the form that is for all of them.
  """
  known: dict[Any, Any] = {}
  read = lambda v: v.val if isinstance(v, Literal) else known[v]
  known |= dict(zip(jaxpr.jaxpr.constvars, jaxpr.consts, strict=True)) | dict(zip(jaxpr.jaxpr.invars, given, strict=True))
  for eqn in jaxpr.jaxpr.eqns:
    name, params, inputs = eqn.primitive.name, eqn.params, [read(v) for v in eqn.invars]
    if name == 'platform_index':
      found = [np.int32(_default(params['platforms']))]
    elif name == 'cond' and not isinstance(inputs[0], jax.core.Tracer):
      at = min(max(int(inputs[0]), 0), len(params['branches']) - 1)
      found = unrolled(_closed(params['branches'][at]), *inputs[1:])
    elif name == 'scan':
      found = _scan(params, inputs)
    elif name == 'pad' and all(low >= 0 and high >= 0 and not between for low, high, between in params['padding_config']):
      found = [_padded(*inputs, params['padding_config'])]
    elif name in CALLS:
      inner = params.get('jaxpr', params.get('call_jaxpr', params.get('fun_jaxpr')))
      found = unrolled(_closed(inner), *inputs)
    else:
      fixed = not any(isinstance(x, jax.core.Tracer) for x in inputs)
      with jax.ensure_compile_time_eval() if fixed else contextlib.nullcontext():
        found = eqn.primitive.bind(*inputs, **eqn.primitive.get_bind_params(params))
      found = found if eqn.primitive.multiple_results else [found]
    known |= dict(zip(eqn.outvars, found, strict=True))
  return [read(v) for v in jaxpr.jaxpr.outvars]


def _scan(params: dict[str, Any], inputs: Sequence[Any]) -> list[Any]:
  consts, carried, length = params['num_consts'], params['num_carry'], params['length']
  held, carry, over = inputs[:consts], inputs[consts : consts + carried], inputs[consts + carried :]
  rows = []
  for i in reversed(range(length)) if params['reverse'] else range(length):
    found = unrolled(params['jaxpr'], *held, *carry, *(_row(x, i) for x in over))
    carry, row = found[:carried], found[carried:]
    rows.append(row)
  rows = rows[::-1] if params['reverse'] else rows
  return [*carry, *(jnp.stack(column) for column in zip(*rows, strict=True))]


def _padded(x: Any, value: Any, pads: Sequence[tuple[int, int, int]]) -> Any:
  """As lax.pad, by joining arrays: jax2onnx pads no array of a size that is not known."""
  for axis, (low, high, _) in enumerate(pads):
    edges = [jnp.full((*x.shape[:axis], n, *x.shape[axis + 1 :]), value) for n in (low, high)]
    x = jnp.concatenate([edges[0], x, edges[1]], axis) if low or high else x
  return x


def _row(x: Any, i: int) -> Any:
  fixed = not isinstance(x, jax.core.Tracer)
  with jax.ensure_compile_time_eval() if fixed else contextlib.nullcontext():
    return jax.lax.index_in_dim(x, i, 0, keepdims=False)


def _closed(jaxpr: Any) -> ClosedJaxpr:
  return jaxpr if isinstance(jaxpr, ClosedJaxpr) else ClosedJaxpr(jaxpr, ())


def _default(platforms: Sequence[Any]) -> int:
  """The number of the branch that is for all platforms, which comes last."""
  return next((i for i, of in enumerate(platforms) if of is None), len(platforms))


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
  """Without what jax2onnx logs and prints of itself."""
  logs = [logging.getLogger(name) for name in ('jax2onnx', 'onnx_ir')]
  levels = [log.level for log in logs]
  try:
    for log in logs:
      log.setLevel(logging.CRITICAL)
    with contextlib.redirect_stdout(io.StringIO()):
      yield
  finally:
    for log, level in zip(logs, levels, strict=True):
      log.setLevel(level)
