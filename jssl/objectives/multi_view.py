"""Objectives of more than two views, and of parts of views."""

import jax
import jax.numpy as jnp
from jaxtyping import Float, Int

from jssl.objectives.contrastive import info_nce
from jssl.objectives.distillation import kl_logits
from jssl.ops.normalize import l2_normalize
from jssl.types import Array


def poly_view_geometric(z: Float[Array, 'b v d'], *, temperature: float = 0.1) -> Float[Array, ' b']:
  """Contrast of many views: the mean of the log-likelihoods over all ordered pairs of views.

  l_i = -1/(v(v-1)) sum_{a != c} log p_iac
  p_iac = e^{z_ia.z_ic/tau} / (e^{z_ia.z_ic/tau} + sum_{j != i} sum_g e^{z_jg.z_ic/tau})

  Args:
    z: [b v d] embeddings of v views, at least 2. With 2 views the mean over the batch is SimCLR's loss.
    temperature: tau.

  Returns:
    [b] nats.

  Reference: Shidani, Hjelm, Ramapuram, Webb, Dhekane, Busbridge 2024, arXiv:2403.05490, section 2, the geometric
  loss.
  """
  return -jnp.mean(_off_diagonal(_log_likelihood(z, temperature)), (1, 2))


def poly_view_arithmetic(z: Float[Array, 'b v d'], *, temperature: float = 0.1) -> Float[Array, ' b']:
  """Contrast of many views: the logarithm of the mean likelihood over the other views.

  l_i = -1/v sum_a log 1/(v-1) sum_{c != a} p_iac,   p as in `poly_view_geometric`

  Args:
    z: [b v d] embeddings of v views, at least 2.
    temperature: tau.

  Returns:
    [b] nats, at most the geometric loss.

  Reference: Shidani, Hjelm, Ramapuram, Webb, Dhekane, Busbridge 2024, arXiv:2403.05490, section 2, the arithmetic
  loss.
  """
  log_p = _off_diagonal(_log_likelihood(z, temperature))
  return -jnp.mean(jax.nn.logsumexp(log_p, 2) - jnp.log(log_p.shape[2]), 1)


def poly_view_statistics(z: Float[Array, 'b v d'], *, temperature: float = 0.1, normalize: bool = True) -> Float[Array, ' b']:
  """Contrast of every view with the sufficient statistics of the others: their mean.

  l_i = -1/v sum_a log [ e^{z_ia.s_ia/tau} / (e^{z_ia.s_ia/tau} + sum_{j != i} sum_g e^{z_jg.s_ia/tau}) ]
  s_ia = mean_{c != a} z_ic

  Args:
    z: [b v d] embeddings of v views, at least 2.
    temperature: tau.
    normalize: scale every s to unit length too.

  Returns:
    [b] nats.

  Reference: Shidani, Hjelm, Ramapuram, Webb, Dhekane, Busbridge 2024, arXiv:2403.05490, section 2, sufficient
  statistics.
  """
  z = l2_normalize(z)
  b, v, _ = z.shape
  s = (jnp.sum(z, 1, keepdims=True) - z) / (v - 1)
  s = l2_normalize(s) if normalize else s
  positive = jnp.sum(z * s, -1) / temperature
  return jnp.mean(jax.nn.softplus(_others(z, s, temperature) - positive), 1)


def symile(z: Float[Array, 'b m d'], *, scale: float = 1.0, permutations: Int[Array, 'm m b'] | None = None) -> Float[Array, ' b']:
  """Contrast of any number of modalities by their multilinear inner product.

  l_i = 1/m sum_a -log [ e^{s <z_i1, ..., z_im>} / sum_c e^{s <z_ia, c>} ],   <x, ..., y> = sum_d x_d ... y_d

  Candidates c for the anchor a are products of one row of every other modality: the true one and, with `permutations`,
  b - 1 others, of row permutations[a, o, j] of modality o for each j != i; without them, all b^(m-1) combinations.

  Args:
    z: [b m d] embeddings of m modalities, at least 2. With 2 and all combinations this is CLIP.
    scale: s, the exponential of a learned logarithm in the paper.
    permutations: [m m b] integers, permutations of the batch along the last axis; entries [a, a] are ignored.

  Returns:
    [b] nats.

  Reference: Saporta, Puli, Goldstein, Ranganath 2024, arXiv:2411.01053, section 3 and Algorithm 1. As in the official
  code a permuted candidate may be the true tuple by chance.
  """
  z = l2_normalize(z)
  b, m, _ = z.shape
  positive = scale * jnp.sum(jnp.prod(z, 1), -1)
  loss = jnp.zeros(b)
  for a in range(m):
    others = [o for o in range(m) if o != a]
    if permutations is None:
      candidates, own = z[:, others[0]], jnp.arange(b)
      for o in others[1:]:
        candidates = (candidates[:, None] * z[:, o]).reshape(-1, z.shape[2])
        own = own * b + jnp.arange(b)
    else:
      candidates, own = z[permutations[a, others[0]], others[0]], jnp.arange(b)
      for o in others[1:]:
        candidates = candidates * z[permutations[a, o], o]
    logits = scale * jnp.matmul(z[:, a], candidates.T, precision='highest')
    logits = jnp.where(jnp.arange(len(candidates)) == own[:, None], positive[:, None], logits)
    loss = loss + jax.nn.logsumexp(logits, 1) - positive
  return loss / m


def pairwise_info_nce(z: Float[Array, 'b m d'], *, scale: float = 1.0, ids: Int[Array, ' b'] | None = None) -> Float[Array, ' b']:
  """CLIP for more than two modalities: the mean of its loss over all pairs of them.

  l_i = 1/(m(m-1)) sum_{a != c} -log [ e^{s z_ia.z_ic} / sum_j e^{s z_ia.z_jc} ]

  Args:
    z: [b m d] embeddings of m modalities, at least 2.
    scale: s, the exponential of a learned logarithm in the paper.
    ids: [b] integers; rows of equal id are not negatives of each other.

  Returns:
    [b] nats.

  Reference: Radford et al. 2021, arXiv:2103.00020, Figure 3; over pairs of modalities as in Saporta, Puli, Goldstein,
  Ranganath 2024, arXiv:2411.01053, section 2, where it is the baseline of Symile.
  """
  m = z.shape[1]
  pairs = [(a, c) for a in range(m) for c in range(m) if a != c]
  return sum((info_nce(z[:, a], z[:, c], temperature=1 / scale, ids=ids) for a, c in pairs), jnp.zeros(len(z))) / len(pairs)


def view_centre(z: Float[Array, 'b v d'], *, centres: int | None = None) -> Float[Array, ' b']:
  """Squared distance of all views of an example to the mean of the first ones.

  l_i = 1/(v d) sum_a |mu_i - z_ia|^2,   mu_i = 1/g sum_{a <= g} z_ia

  Args:
    z: [b v d] embeddings of v views, the global ones first.
    centres: g, the number of global views; None for all.

  Returns:
    [b].

  Reference: Balestriero, LeCun 2025, arXiv:2511.08544, section 5.1, Eq. 5 and 6, and Algorithm 2, which divides by d as here; 2 of 8 views.
  No stop-gradient.
  """
  z = z.astype(jnp.float32)
  return jnp.mean((jnp.mean(z[:, :centres], 1, keepdims=True) - z) ** 2, (1, 2))


def patch_discrimination(
  prediction: Float[Array, 'b n d'], target: Float[Array, 'b n d'], *, temperature: float = 0.2, eps: float = 1e-4
) -> Float[Array, ' b']:
  """Cross entropy of identifying the target of a patch among those of the same image.

  l_i = 2 tau mean_n -log [ e^{p_n.t_n/tau} / sum_m e^{p_n.t_m/tau} ]

  p are the predictions of image i, standardised to mean 0 and variance 1 (with n - 1) over its patches, then scaled to unit length.

  Args:
    prediction: [b n d] predicted latents of the masked patches.
    target: [b n d] the target encoder's.
    temperature: tau.
    eps: added to the standard deviation.

  Returns:
    [b].

  Reference: Wei, Gupta, Morgado 2024, arXiv:2407.15837, section 3, patch discrimination; tau = 0.2, the factor 2 tau
  and the standardisation are those of the official code. Stop-gradient on the target.
  """
  p = prediction.astype(jnp.float32)
  p = p - jnp.mean(p, 1, keepdims=True)
  square = jnp.sum(p * p, 1, keepdims=True) / max(p.shape[1] - 1, 1)
  deviation = jnp.where(square > 0, jnp.sqrt(jnp.where(square > 0, square, 1)), 0)
  p, t = l2_normalize(p / (deviation + eps)), jax.lax.stop_gradient(l2_normalize(target))
  logits = jnp.einsum('bnd,bmd->bnm', p, t, precision='highest') / temperature
  return -2 * temperature * jnp.mean(jnp.diagonal(jax.nn.log_softmax(logits), axis1=1, axis2=2), 1)


def patch_similarity(z: Float[Array, 'b n d'], *, target: float = 0.75) -> Float[Array, '']:
  """Keeps the mean cosine between the patches of an image at a target.

  l = ( mean_inm cos(z_in, z_im) - target )^2

  Args:
    z: [b n d] latents of patches.
    target: the target mean cosine, over all pairs of patches of an image, including a patch with itself.

  Returns:
    A scalar: the square is that of a mean over the whole batch.

  Reference: Wei, Gupta, Morgado 2024, arXiv:2407.15837, section 3, the similarity constraint, on visible and on
  predicted patches. The official code has weight 0.1 and lets the target fall from 0.75 to 0.25 over training.
  """
  mean = jnp.mean(l2_normalize(z), 1)
  return (jnp.mean(jnp.sum(mean * mean, -1)) - target) ** 2


def kl_align(q: Float[Array, 'b d'], k: Float[Array, 'b d'], *, temperature: float = 1.0) -> Float[Array, ' b']:
  """Aligns the embedding of a shallow layer, as a distribution over features, with that of the last layer.

  l_i = T KL( softmax(k_i/T) || softmax(q_i/T) )

  Args:
    q: [b d] embeddings of a shallow layer, or their first d features; not normalised.
    k: [b d] embeddings of the last layer.
    temperature: T.

  Returns:
    [b] nats.

  Reference: Li, Li, Li, Xie, Li 2024, arXiv:2402.14776, section 3, the alignment loss. The factor T is that of the
  official code. Stop-gradient on k.
  """
  return kl_logits(q, k, temperature=temperature) / temperature


def gram(x: Float[Array, 'b d']) -> Float[Array, 'b b']:
  return jnp.matmul(x, x.T, precision='highest')


def _log_likelihood(z: Array, temperature: float) -> Array:
  """[b v v]: log p_iac."""
  z = l2_normalize(z)
  positive = jnp.einsum('bad,bcd->bac', z, z, precision='highest') / temperature
  return -jax.nn.softplus(_others(z, z, temperature)[:, None] - positive)


def _others(z: Array, s: Array, temperature: float) -> Array:
  """[b v]: log sum_{j != i} sum_g exp(z_jg.s_ia/tau)."""
  b, v, d = z.shape
  logits = jnp.matmul(s.reshape(b * v, d), z.reshape(b * v, d).T, precision='highest') / temperature
  each = jnp.repeat(jnp.arange(b), v)
  return jax.nn.logsumexp(jnp.where(each[:, None] != each, logits, -1e30), 1).reshape(b, v)


def _off_diagonal(x: Array) -> Array:
  """[b v v] to [b v v-1], without the pairs of a view with itself."""
  b, v, _ = x.shape
  return x.reshape(b, v * v)[:, :-1].reshape(b, v - 1, v + 1)[:, :, 1:].reshape(b, v, v - 1)
