"""Sizes of images as inputs of networks: the shapes of a config's views of a column.

Networks are built for the views that passes draw in training, not for the images of the data, which views crop and resize.
"""

import inspect
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from jssl.data.core.pictures import is_picture
from jssl.errors import ConfigError, DataError
from jssl.options import lookup, mapping, naming, option, signed, with_facts
from jssl.types import Column, Data

EXAMPLES = 2  # examples of the batch with which views are traced


def fitted(c: Mapping[str, Any], data: Data, columns: Mapping[str, Column], make: Callable) -> Any:
  """The networks returned by `make(c, data)`, each built for images of the size from `seen`.

  Raises:
    ConfigError: if `inputs` gives another size that the networks cannot process.
  """
  at_hand = seen(c, data, columns)
  networks = make(c, data._replace(spec=at_hand))
  told = c.get('represent', {}).get('encoder', 'backbone')
  spec = c['backbone'] if told == 'backbone' else c['heads'].get(told, {})
  on = spec.get('on', f'data.{data.inputs}' if told == 'backbone' else '') if isinstance(spec, Mapping) else ''
  name = on.removeprefix('data.') if isinstance(on, str) else ''
  given = inputs_of(c, name, columns) if name in at_hand and is_picture(name, at_hand[name].shape, at_hand[name].dtype) else []
  if not given or given[0] == at_hand[name].shape:
    return networks
  built, shape = at_hand[name].shape, given[0]
  module = nnx.eval_shape(lambda: networks[told].create(jax.random.key(0)))
  module.eval()
  try:
    nnx.eval_shape(lambda module, x: module(x), module, jax.ShapeDtypeStruct((EXAMPLES, *shape), jnp.float32))
  except Exception as error:  # networks raise errors of many types
    raise ConfigError(
      f'inputs gives pictures of {_told(shape)}, but {told} is built for training views of {_told(built)} and takes no others '
      f'({" ".join(str(error).split())[:120]}); set the size of inputs to {built[0]}'
    ) from error
  return networks


def seen(c: Mapping[str, Any], data: Data, columns: Mapping[str, Column]) -> dict[str, Column]:
  """`data.spec` with the shapes of views for image columns.

  The shape is that of the largest view that passes draw in training, for example a global view rather than small crops, or that of `inputs` if
  they draw none. Networks that resize their position embeddings accept the other sizes; other networks raise an error.

  Args:
    c: the config.
    data: the data set.
    columns: all columns of a batch.
  """
  found: dict[str, list] = {}
  trained = in_training(data, columns)
  for place, spec, left_out in views(c, columns):
    of, shapes = drawn(place, spec, data.inputs, trained)
    if of in data.spec:
      found.setdefault(of, []).extend(shape for i, shape in enumerate(shapes) if i != left_out)
  spec = {}
  for name, column in data.spec.items():
    like = lambda shapes, column=column: [x for x in shapes if len(x) == 3 and x[-1] == column.shape[-1]]
    pictures = is_picture(name, column.shape, column.dtype)
    shapes = pictures and (like(found.get(name, [])) or like(inputs_of(c, name, columns)))
    spec[name] = shaped(column, max(shapes, key=math.prod)) if shapes else column
  return spec


def shaped(column: Column, shape: Sequence[int]) -> Column:
  """A column with another shape."""
  return column if tuple(column.shape) == tuple(shape) else Column(tuple(shape), column.dtype, **column.facts)


def in_training(data: Data, columns: Mapping[str, Column]) -> dict[str, Column]:
  """The columns of training batches; images that are cropped while decoding have all crops.

  Raises:
    DataError: if the training split no longer supports crops.
  """
  shapes = data.info.get('drawn', {})
  if shapes and getattr(data.splits['train'], 'crop', None) is None:
    raise DataError(f'{data.info.get("name", "the data")}: joined examples, or ones with new columns, cannot be cropped; leave data.crop out')
  return {name: shaped(x, shapes.get(name, x.shape)) for name, x in columns.items()}


def views(c: Mapping[str, Any], columns: Mapping[str, Column]) -> Iterator[tuple[str, Mapping[str, Any], int | None]]:
  """(place, view, index of a view that no network encodes) for every pass that draws views."""
  for name, spec in mapping('passes', with_facts(c.get('passes') or {}, columns)).items():
    spec = mapping(place := f'passes.{name}', spec)
    if 'name' in spec:
      spec = with_view(spec, lookup('passes', spec['name'], place), with_facts(c.get('view'), columns))
    if isinstance(spec.get('view'), Mapping):
      yield f'{place}.view', spec['view'], spec.get('target_view')


def with_view(spec: dict[str, Any], factory: Callable, view: Any) -> dict[str, Any]:
  """The options of a pass, with the view of the config if it draws a view and names none."""
  of = inspect.signature(factory).parameters.get('view')
  takes = of and view and 'view' not in spec and (of.default is of.empty or 'on' not in spec)
  return {**spec, 'view': view} if takes else spec


def inputs_of(c: Mapping[str, Any], name: str, columns: Mapping[str, Column]) -> list[tuple[int, ...]]:
  """The shapes that `inputs` gives for a column."""
  of, shapes = drawn('inputs', with_facts(c.get('inputs'), columns) or dict(name='columns', names=(name,)), name, columns)
  return shapes if of == name else []


def drawn(place: str, spec: Mapping[str, Any], column: str, columns: Mapping[str, Column]) -> tuple[str, list[tuple[int, ...]]]:
  """The column that a view reads, by default `column`, and the shapes of its views."""
  spec = dict(name=spec) if isinstance(spec, str) else mapping(place, spec)
  while isinstance(spec.get('view'), Mapping):  # nested views, which do not change sizes
    spec, place = spec['view'], f'{place}.view'
  view = option(place, spec, 'views')
  if isinstance(spec.get('names'), tuple | list):
    return column, [columns[column].shape[-3:]] if column in spec['names'] and column in columns else []
  found = inspect.signature(signed(view.func)).parameters.get('column')
  column = spec.get('column', column if found is None or found.default is found.empty else found.default)
  keys = jax.eval_shape(lambda: jax.random.split(jax.random.key(0), EXAMPLES))
  batch = {name: jax.ShapeDtypeStruct((EXAMPLES, *x.shape), x.dtype) for name, x in columns.items()}
  try:
    with naming(place):
      return column, [x.shape[1:] for x in jax.tree.leaves(jax.eval_shape(view, keys, batch))]
  except ConfigError as error:
    if isinstance(error.__cause__, KeyError):  # for a column that is computed during training
      return column, []
    raise


def _told(shape: tuple[int, ...]) -> str:
  return 'x'.join(map(str, shape[:2]))
