"""Sentence embeddings by iterative refinement (HBMP). Talman, Yli-Jyra, Tiedemann, NLE 2019. arXiv:1808.08762, section 3."""

from jssl.configs.text import infersent

from jssl.configs import common


def get_config(scale='small'):
  at = common.at(scale)
  c = infersent.get_config(scale)
  c.number = 181
  c.parts = (
    'three bidirectional LSTMs, each of which reads the word vectors and begins from the last hidden states and memories of the one before',
    'the maxima over time of the three are joined',
    'classifier of [u; v; |u - v|; u v] with two hidden layers (official code, with leaky ReLU and dropout 0.1; here ReLU without dropout)',
    'rows of one bidirectional LSTM, and of three on top of each other, whose embeddings are as wide',
    'word vectors are learned with the encoder (paper: GloVe vectors)',
    dict(part='rate reduced by 0.2 where the validation accuracy does not rise', out='open', why='AdamW at 3e-3 with a cosine'),
    dict(part='transfer and probing tasks of SentEval', out='data', why='no package ships them'),
    dict(part='GloVe vectors; SNLI, MultiNLI and SciTail', out='data', why='no package ships them; a grammar of words in taxonomies'),
    dict(part='600 states a direction and layer', out='scale', why='32 a direction and layer; 500 steps of 64'),
  )
  c.backbone = dict(name='recurrent', depth=3, refine=True, **at(small=dict(width=64, hidden=32), tiny=dict(width=8, hidden=8, std=1.0)))
  c.heads.relation.widths = (*at(small=(64, 64), tiny=(8, 8)), 3)
  wide = 'backbone.hidden=96'
  c.claim = dict(
    metric='pair_top1', beats=('random_init', 'one layer', 'stacked'), margin=0.005,
    variants={'one layer': ('backbone.depth=1', wide), 'stacked': ('backbone.refine=False', wide)},
    without='stacked',
  )  # fmt: skip
  return c
