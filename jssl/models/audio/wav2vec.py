"""wav2vec 2.0 and its kin: waveforms through convolutions and a transformer."""

from collections.abc import Sequence
from functools import partial

import jax
import jax.numpy as jnp
from flax import nnx

from jssl.models.audio.frontend import ConvPositions, WaveEncoder
from jssl.models.layers.blocks import Block, scan, stacked
from jssl.models.layers.dropout import dropout
from jssl.models.layers.normalization import LayerNorm
from jssl.models.layers.shapes import shape_of, whole
from jssl.models.text.bert import PostNormBlock
from jssl.ops.pooling import masked_mean
from jssl.ops.waveforms import real_steps
from jssl.types import Array, Features, Keys, fold


class LayerDrop(nnx.Module):
  """A block that an example skips with some probability in training; nothing is scaled up for it.

  Args:
    block: takes tokens, mask and keys.
    rate: that probability.

  Reference: Fan, Grave, Joulin, ICLR 2020, arXiv:1909.11556, section 3.2. In the official code a batch skips a block as a whole.
  """

  def __init__(self, block: nnx.Module, rate: float):
    self.block, self.rate = block, rate

  def __call__(self, x: Array, *, mask: Array | None = None, keys: Keys | None = None, rate: None = None) -> Array:
    """[b n d] -> [b n d]; `rate` of stochastic depth is None: all blocks have that of this module."""
    y = self.block(x, mask=mask, keys=keys)
    if keys is None or not self.rate:
      return y
    skipped = jax.vmap(lambda key: jax.random.bernoulli(key, self.rate))(fold(keys, 6))
    return jnp.where(skipped[:, None, None], x, y)


class Wav2Vec(nnx.Module):
  """Waveforms through convolutions and a transformer over their frames: wav2vec 2.0, HuBERT and data2vec's audio network.

  Published weights want waves of zero mean and unit variance, as `ops.waveforms.standardize` or the view `standardized_waves` makes
  them, where preprocessor_config.json says `do_normalize`. Parameters of the blocks are stacked on a leading layer axis and scanned over.

  Args:
    on: (n,), the number of samples of one example, or its ShapeDtypeStruct; waves of other lengths are taken too.
    width: d.
    depth: number of blocks.
    heads: of the attention.
    hidden: width of the blocks' hidden layers; None for 4 d.
    channels, kernels, strides, norm, bias: as in `WaveEncoder`.
    position_kernel, position_groups, position_layers, position_norm: as in `ConvPositions`.
    pre_norm: the blocks are those of a `ViT` with one normalisation after the last, as in the large networks; otherwise those of a
      `Bert` with one before the first.
    mask_token: with a learned vector for the frames that `mask` hides.
    dropout: rate, of the projected frames, after the positions and in the blocks, of attention probabilities too.
    drop_path: rate at which an example skips a block, the same for all blocks, as in `LayerDrop`.
    epsilon: of the transformer's normalisations.
    remat: recompute each block in the backward pass.
    dtype: to compute in; parameters are float32.
    rngs: random number generators, for the initialisation.

  Attributes: `dim` = d, `frames` (a function: number of samples -> number of frames), and what was given.

  Raises:
    ValueError: `on` is no waveform or shorter than one frame, the heads or the position's groups do not divide d, an unknown norm.

  Reference: Baevski, Zhou, Mohamed, Auli (wav2vec 2.0), NeurIPS 2020, arXiv:2006.11477, sections 2 and 4.2 (there gradients of the
    convolutions are scaled by a tenth, which is left to the optimiser); Hsu et al. (HuBERT), TASLP 2021, arXiv:2106.07447, section III and
    Table I; Baevski et al. (data2vec), ICML 2022, arXiv:2202.03555, section 4.2.
  """

  def __init__(
    self,
    on,
    *,
    width: int,
    depth: int,
    heads: int,
    hidden: int | None = None,
    channels: Sequence[int] = (512,) * 7,
    kernels: Sequence[int] = (10, 3, 3, 3, 3, 2, 2),
    strides: Sequence[int] = (5, 2, 2, 2, 2, 2, 2),
    norm: str = 'group',
    bias: bool = False,
    position_kernel: int = 128,
    position_groups: int = 16,
    position_layers: int = 1,
    position_norm: bool = False,
    pre_norm: bool = False,
    mask_token: bool = True,
    dropout: float = 0.0,
    drop_path: float = 0.0,
    epsilon: float = 1e-5,
    remat: bool = False,
    dtype: str = 'float32',
    rngs: nnx.Rngs,
  ):
    shape, hidden = shape_of(on), hidden or 4 * width
    if len(shape) != 1:
      raise ValueError(f'a Wav2Vec stands on waveforms of shape (n,), and was given {shape}')
    if width % position_groups:
      raise ValueError(f'{position_groups} groups of the positions do not divide a width of {width}')
    self.dim, self.depth, self.heads, self.hidden = width, depth, heads, hidden
    self.channels, self.kernels, self.strides, self.norm, self.bias = tuple(channels), tuple(kernels), tuple(strides), norm, bias
    self.position_kernel, self.position_groups = position_kernel, position_groups
    self.position_layers, self.position_norm, self.pre_norm = position_layers, position_norm, pre_norm
    self.dropout, self.drop_path, self.epsilon, self.remat, self.dtype = dropout, drop_path, epsilon, remat, dtype
    normal = partial(LayerNorm, epsilon=epsilon, dtype=jnp.dtype(dtype), rngs=rngs)
    self.front = WaveEncoder(channels=channels, kernels=kernels, strides=strides, norm=norm, bias=bias, dtype=dtype, rngs=rngs)
    if not self.frames(shape[0]):
      raise ValueError(f'a Wav2Vec was given waves of {shape[0]} samples, which are too short for one frame')
    self.norm_frames = normal(channels[-1])
    # torch's own initialisation of a linear map, which the official code leaves here.
    init = nnx.initializers.variance_scaling(1 / 3, 'fan_in', 'uniform')
    self.project = nnx.Linear(channels[-1], width, kernel_init=init, dtype=jnp.dtype(dtype), rngs=rngs)
    self.mask_token = nnx.Param(jax.random.uniform(rngs.params(), (width,))) if mask_token else None
    places = dict(kernel=position_kernel, groups=position_groups, layers=position_layers, norm=position_norm)
    self.positions = ConvPositions(width, **places, dtype=dtype, rngs=rngs)
    self.norm_tokens = normal(width)
    options = dict(heads=heads, dropout=dropout, epsilon=epsilon, dtype=dtype)
    if pre_norm:  # half a unit more, so that a quotient that is rounded down gives the hidden layer its width all the same
      make = partial(Block, width, ratio=(hidden + 0.5) / width, attention_dropout=dropout, **options)
    else:
      make = partial(PostNormBlock, width, hidden=hidden, **options)
    self.blocks = stacked(lambda rngs: LayerDrop(make(rngs=rngs), drop_path), depth, rngs=rngs)

  def __call__(
    self,
    x: Array,
    *,
    lengths: Array | None = None,
    mask: Array | None = None,
    keep: Array | None = None,
    keys: Keys | None = None,
  ) -> Features:
    """Encode waveforms.

    Args:
      x: [b samples], padded at the end.
      lengths: [b] int, the samples of each wave. Padding is set to 0, and its frames are neither attended to nor pooled; as in published
        networks, group norm counts it, and so do several convolutions for the positions after the first. None where all samples are
        real, or where padding is to be taken for sound, as published networks with norm = 'group' were trained.
      mask: [b n] bool, True = the frame is replaced by the learned vector.
      keep: None; a Wav2Vec encodes whole waves.
      keys: [b], or None for evaluation.

    Returns:
      tokens [b n d] of the frames, normalised; pooled [b d], their mean over real frames; layers [l+1 b n d], the states from the frames
      with their positions to the last block.
    """
    whole(keep, 'a Wav2Vec')
    frames, real = self.convolved(x, lengths)
    return self.contextualized(self.norm_frames(frames), real, mask=mask, keys=keys)

  def convolved(self, x: Array, lengths: Array | None = None) -> tuple[Array, Array | None]:
    """Frames [b n c] by the convolutions alone, and which of them are real, [b n] bool; None where all are. Arguments as of the network."""
    real = None if lengths is None else real_steps(self.frames(lengths), self.frames(x.shape[1]))
    if lengths is not None:
      x = jnp.where(real_steps(lengths, x.shape[1]), x, 0)
    return self.front(x.astype(self.dtype)), real

  def contextualized(self, frames: Array, real: Array | None = None, *, mask: Array | None = None, keys: Keys | None = None) -> Features:
    """The transformer over frames [b n c] that are normalised by `norm_frames`, of which some are `real`; the rest as of the network."""
    drop = lambda y, i: dropout(y, None if keys is None else fold(keys, self.depth + i), self.dropout)
    y = drop(self.project(frames), 0)
    if mask is not None:
      if self.mask_token is None:
        raise ValueError('this Wav2Vec has no learned vector to put in the place of hidden frames: make it with mask_token=True')
      y = jnp.where(mask[..., None], self.mask_token[...].astype(y.dtype), y)
    if real is not None:  # before the positions, which would carry padding into its neighbours
      y = jnp.where(real[..., None], y, 0)
    y = y + self.positions(y)
    first = drop(y if self.pre_norm else self.norm_tokens(y), 1)
    last, layers = scan(self.blocks, first, mask=real, keys=keys, remat=self.remat)
    tokens = self.norm_tokens(last) if self.pre_norm else last
    pooled = jnp.mean(tokens, 1) if real is None else masked_mean(tokens, real)
    return Features(tokens, pooled, jnp.concatenate([first[None], layers]))

  def frames(self, samples: int | Array) -> int | Array:
    """How many frames a wave of so many samples has; an array of numbers gives one."""
    return self.front.frames(samples)


# For waves of a second or so on a CPU, no published size: a frame every 10 ms at 8 kHz.
wav2vec_micro = partial(
  Wav2Vec,
  width=64,
  depth=2,
  heads=4,
  channels=(32,) * 4,
  kernels=(10, 8, 4, 4),
  strides=(5, 4, 2, 2),
  position_kernel=16,
  position_groups=4,
)
wav2vec_base = partial(Wav2Vec, width=768, depth=12, heads=12)
wav2vec_large = partial(Wav2Vec, width=1024, depth=24, heads=16, norm='layer', bias=True, pre_norm=True)
