"""A BERT whose features average all layers."""

from jssl.models.text.bert import Bert
from jssl.ops.pooling import masked_mean
from jssl.types import Array, Features, Keys


class AveragedBert(Bert):
  """A `Bert` whose pooled features are the mean of its tokens' states over all layers, including the embedding.

  pooled = 1/(L+1) sum_l mean_i h_l[i]

  The last block specialises in the prediction of masked tokens; earlier blocks represent the contents of a sequence.

  Args:
    as in `Bert`; `pool` is ignored.

  Reference: Peters et al. (ELMo), NAACL 2018, arXiv:1802.05365, section 3.2, with equal weights.
  """

  def encode(self, x: Array, attended: Array, *, keys: Keys | None = None) -> Features:
    """As in `Bert`."""
    found = super().encode(x, attended, keys=keys)
    return found._replace(pooled=masked_mean(found.layers.mean(0), attended))
