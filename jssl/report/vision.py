"""What is shown of a run on pictures or texts beside its features: training views, attention maps, patches."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from jssl import sizes
from jssl.core.build import Plan, columns_of
from jssl.core.loop import open_source
from jssl.core.method import example_keys
from jssl.model import Model
from jssl.models.layers import positions
from jssl.models.vision.vit import ViT
from jssl.options import lookup, option, with_facts
from jssl.types import salted

COUNT, VIEWS = 6, 10  # examples, and views of each


def views(p: Plan) -> tuple[str, Mapping[str, np.ndarray], list[np.ndarray], list[np.ndarray | None]] | None:
  """The views of the first batch, as the first step of training draws them.

  Returns:
    The column that they are made of, the first examples of the batch, their views [b ...], standardised as the network sees them, and for
    each view the patches [b n] that a mask hides, or None; None if no pass draws views of a column.
  """
  passes = {name: sizes.with_view(spec, lookup('passes', spec['name'], name), p.config['view']) for name, spec in p.config['passes'].items()}
  found = next(((name, spec['view']) for name, spec in passes.items() if spec.get('view')), None)
  if found is None:
    return None
  name, spec = found
  view = option('view', with_facts(spec, columns_of(p.data)), 'views')
  batch = {key: np.asarray(x)[:COUNT] for key, x in open_source(p).batch(0).items()}
  keys = example_keys(jax.random.key(p.config['seed']), batch)
  drawn = jax.jit(lambda keys, batch: view(salted(keys, name, 'view'), batch))(keys, batch)
  drawn = [np.asarray(x) for x in drawn if not isinstance(x, Mapping)][:VIEWS]
  column = next((key for key in ([view.keywords['column']] if 'column' in view.keywords else []) + [p.data.inputs] if key in batch), None)
  if column is None or not drawn:
    return None
  hidden = masks(p, name, keys, [x.shape for x in drawn])
  return column, batch, [unstandardised(x, view.keywords, i) for i, x in enumerate(drawn)], hidden


def masks(p: Plan, name: str, keys: jax.Array, shapes: Sequence[tuple[int, ...]]) -> list[np.ndarray | None]:
  """For each view of a pass the patches [b n] that its mask hides, or None."""
  spec = with_facts(p.config['passes'][name], columns_of(p.data))
  hidden: list[np.ndarray | None] = [None] * len(shapes)
  if spec['name'] not in ('masked_encode', 'masked_views') or 'target_view' in spec or not isinstance(spec['mask'], Mapping):
    return hidden
  patch = nnx.eval_shape(lambda: p.method.networks(*p.method.init(jax.random.key(0)))[spec.get('encoder', 'backbone')]).patch
  draw = option('mask', spec['mask'], 'masks')
  one = spec['name'] == 'masked_encode' and len(shapes) == 1
  for i in spec.get('masked', range(len(shapes))):
    drawn = draw(salted(keys, name, *(('mask',) if one else ('mask', i))), grid=tuple(side // patch for side in shapes[i][1:3]))
    hidden[i] = np.asarray(drawn.mask) if hasattr(drawn, 'mask') else None
  return hidden


def unstandardised(x: np.ndarray, options: Mapping[str, Any], i: int) -> np.ndarray:
  """The pixels of view number i, in units of [0, 1], without its standardisation; other arrays are unchanged."""
  own = options.get('views')
  options = {**options, **(own[i] if isinstance(own, tuple | list) else {})}
  if x.dtype.kind != 'f' or x.ndim != 4:
    return x
  mean, std = options.get('mean'), options.get('std')
  return x * np.asarray(1.0 if std is None else std, np.float32) + np.asarray(0.0 if mean is None else mean, np.float32)


def vit_of(model: Model) -> ViT | None:
  """The encoder, if it is a vision transformer without convolutions."""
  net = model.backbone()
  return net if isinstance(net, ViT) and not net.stem else None


def attention(net: ViT, x: jax.Array) -> np.ndarray:
  """What the last block attends to: the class token, or all patches on average if there is none.

  Args:
    net: in evaluation mode.
    x: [b h w c], as the network reads it.

  Returns:
    [b heads rows columns], attention to patches; sums to 1 over the patches of a head.
  """
  return np.asarray(_attention(*nnx.split(net), x))


@partial(jax.jit, static_argnums=0)
def _attention(graphdef: nnx.GraphDef, state: nnx.State, x: jax.Array) -> jax.Array:
  net = nnx.merge(graphdef, state)
  grid = x.shape[1] // net.patch, x.shape[2] // net.patch
  net.norm = lambda y: y  # so that the states of the class token are given as they enter the last block
  found = net(x)
  graphdef, params, rest = nnx.split(net.blocks, nnx.Param, ...)
  block = nnx.merge(graphdef, jax.tree.map(lambda w: w[-1], params), rest)
  patches = found.layers[-2]
  tokens = patches if found.classes is None else jnp.concatenate([found.classes[-2][:, None], patches], 1)
  n = tokens.shape[1] - patches.shape[1]
  turns = positions.rotary(grid, block.attention.head, net.temperature) if net.rotary else None
  rotary = None if turns is None else jnp.pad(jnp.asarray(turns), ((n, 0), (0, 0)))  # what stands before the patches is not turned
  y = block.norm1(tokens)
  q, k, _ = block.attention.heads_of(y, y, rotary)
  logits = jnp.einsum('bnhd,bmhd->bhnm', q[:, :1] if n else q, k[:, n:]).astype(jnp.float32)
  weights = jax.nn.softmax(logits * (block.attention.scale or q.shape[-1] ** -0.5)).mean(2)
  return weights.reshape(*weights.shape[:2], *grid)


def patch_colours(tokens: np.ndarray, grid: tuple[int, int]) -> np.ndarray:
  """Features of patches [b n d] as colours [b rows columns 3] uint8: three principal components of all of them, from dark to light."""
  from sklearn.decomposition import PCA

  b, n, d = tokens.shape
  y = PCA(min(3, d, b * n), svd_solver='full').fit_transform(tokens.reshape(b * n, d).astype(np.float32))
  low, high = np.quantile(y, [0.02, 0.98], axis=0)
  y = np.clip((y - low) / np.maximum(high - low, 1e-9), 0, 1)
  y = np.pad(y, ((0, 0), (0, 3 - y.shape[1])))
  return (y * 255).round().astype(np.uint8).reshape(b, *grid, 3)


def read(model: Model, columns: Mapping[str, np.ndarray]) -> jax.Array:
  """The pictures [b h w c] as the encoder reads them."""
  view = option('inputs', model.config['inputs'], 'views')
  (x,) = view(jax.random.split(jax.random.key(0), len(next(iter(columns.values())))), columns)
  return x


def heat(x: np.ndarray) -> np.ndarray:
  """Attention [rows columns] as a picture."""
  from matplotlib import colormaps

  x = (x - x.min()) / max(x.max() - x.min(), 1e-12)
  return (colormaps['magma'](x)[..., :3] * 255).round().astype(np.uint8)


def masked(tiles: np.ndarray, mask: np.ndarray) -> np.ndarray:
  """Tiles [b h w 3] with the patches [b n] of a mask in grey."""
  b, h, w, _ = tiles.shape
  side = round((mask.shape[1] * w / h) ** 0.5)
  grid = mask.reshape(b, -1, side) if mask.shape[1] % side == 0 else np.zeros((b, 1, 1), bool)
  whole = grid[:, np.arange(h) * grid.shape[1] // h][:, :, np.arange(w) * grid.shape[2] // w]
  return np.where(whole[..., None], np.uint8(128), tiles)
