"""Passes over waveforms: frames that are masked, quantised, and told apart."""

import jax
import jax.numpy as jnp

from jssl.ops.waveforms import real_steps
from jssl.types import Call, Pass, Ref, StepMask


def masked_frames(*, on: Ref, mask: StepMask, lengths: Ref | None = None, encoder: str = 'backbone', front_gradient: float = 1.0) -> Pass:
  """Encodes waveforms by convolutions to frames, and those by a transformer that sees a learned vector in the place of masked ones.

  Args:
    on: waveforms [b samples], padded at the end.
    mask: (keys, frames) -> masked frames. Padding is zero.
    lengths: [b] int, the samples of each wave; None where all are real, or padding is taken for sound.
    encoder: a `Wav2Vec`.
    front_gradient: a factor on the gradient that the convolutions get.

  Outputs:
    tokens: [b n d], by the transformer.
    frames: [b n c], by the convolutions, normalised; none is masked.
    raw: [b n c], the same before they are normalised.
    mask: [b n] bool, True = masked. real: [b n] bool, False for padding.

  Reference: Baevski, Zhou, Mohamed, Auli (wav2vec 2.0), NeurIPS 2020, arXiv:2006.11477, sections 2 and 3.1; the gradient of the convolutions is
  scaled by 0.1 (section 4.2), as is that of HuBERT's, arXiv:2106.07447.
  """

  def run(call: Call):
    net = call.nets[encoder]
    raw, real = net.convolved(call.read(on), None if lengths is None else call.read(lengths))
    if front_gradient != 1:
      raw = raw + (1 - front_gradient) * (jax.lax.stop_gradient(raw) - raw)
    frames = net.norm_frames(raw)
    hidden = mask(call.key('mask'), frames if real is None else jnp.where(real[..., None], frames, 0))
    tokens = net.contextualized(frames, real, mask=hidden, keys=call.key('encoder')).tokens
    return {'tokens': tokens, 'frames': frames, 'raw': raw, 'mask': hidden, 'real': jnp.ones_like(hidden) if real is None else real}

  return Pass(run, ('tokens', 'frames', 'raw', 'mask', 'real'))


def frame_targets(*, on: Ref, lengths: Ref | None = None, last_layers: int = 8, encoder: str = 'backbone') -> Pass:
  """The mean of the teacher's last layers on whole waves, each layer first normalised over the real frames of the example.

  Args:
    on, lengths: as in `masked_frames`.
    last_layers: number of layers.
    encoder: a `Wav2Vec`, of which the teacher's copy is called.

  Outputs:
    averaged: [b n d], without gradient.

  Reference: Baevski, Hsu, Xu, Babu, Gu, Auli (data2vec), ICML 2022, arXiv:2202.03555, section 3.3, for speech; `instance_norm_target_layer` and
  `average_top_k_layers` in the official code, data2vec_audio.py, where a layer is what its perceptron gives before it is added.
  """

  def run(call: Call):
    net, x = call.target[encoder], call.read(on)
    told = None if lengths is None else call.read(lengths)
    states = net(x, lengths=told).layers[-last_layers:].astype(jnp.float32)
    real = jnp.ones(states.shape[1:3], bool) if told is None else real_steps(net.frames(told), states.shape[2])
    weight = (real / jnp.maximum(jnp.sum(real, 1, keepdims=True), 1))[..., None]
    states = states - jnp.sum(weight * states, 2, keepdims=True)
    states = states * jax.lax.rsqrt(jnp.sum(weight * jnp.square(states), 2, keepdims=True) + 1e-5)
    return {'averaged': jax.lax.stop_gradient(jnp.mean(states, 0))}

  return Pass(run, ('averaged',))


def quantize(*, on: Ref, temperature: Ref, network: str = 'quantizer') -> Pass:
  """Quantises frames.

  Args:
    on: frames [b n c].
    temperature: [] of the Gumbel softmax.
    network: a `GumbelQuantizer`.

  Outputs:
    vectors: [b n dim], the entries of all codebooks side by side.
    logits: [b n g v]. codes: [b n g] int32.
  """

  def run(call: Call):
    vectors, logits, codes = call.nets[network](call.read(on), call.read(temperature), keys=call.key('quantizer'))
    return {'vectors': vectors, 'logits': logits, 'codes': codes}

  return Pass(run, ('vectors', 'logits', 'codes'))


def distractors(*, mask: Ref, count: int = 100) -> Pass:
  """Draws for each frame other masked frames of the same example, uniformly and with replacement.

  Args:
    mask: [b n] bool, the masked frames.
    count: distractors per frame.

  Outputs:
    places: [b n count] int32. A frame that is the only masked one of its example has itself.

  Reference: Baevski et al. 2020, arXiv:2006.11477, section 3.2, 100 distractors; `sample_negatives` in the official code, wav2vec2.py.
  """

  def one(key, hidden):
    masked = jnp.argsort(~hidden, stable=True)  # their places in order, before those of the others
    total, own = jnp.sum(hidden), jnp.cumsum(hidden)[:, None] - 1
    drawn = jax.random.randint(key, (len(hidden), count), 0, jnp.maximum(total - 1, 1))
    places = masked[drawn + (drawn >= own)]
    return jnp.where(total > 1, places, jnp.arange(len(hidden))[:, None]).astype(jnp.int32)

  return Pass(lambda call: {'places': jax.vmap(one)(call.key('distractors'), call.read(mask))}, ('places',))
