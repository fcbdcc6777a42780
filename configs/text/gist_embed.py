"""GISTEmbed. Solatorio 2024. arXiv:2402.16829, section 3: a guide leaves out false negatives of in-batch contrast."""

from jssl.configs import common


def get_config(scale='small'):
  c = common.sentences(scale, batch_size=32, steps=40)
  c.parts = (
    'in-batch softmax of pairs: anchors with positives, anchors with anchors, positives with positives',
    'without those that a guide rates more similar than the pair itself; the guide is a larger encoder of sentences, frozen',
    'a sentence and the next one of the same document, whose other sentences are false negatives',
    'the same without the guide as the rival: no negative is left out',
    'the guide is all six blocks of MiniLM, and the encoder its first (paper: larger than the encoder); temperature 0.05 (paper: 0.01)',
    dict(part='mined hard negatives, filtered in the same way', out='open', why='no row has them; the objective takes them'),
    dict(part='MEDI and MTEB classification data with mined triplets; MTEB', out='data', why='no package ships them; news and Lee documents'),
    dict(part='BGE and MiniLM encoders of up to 335 million parameters', out='scale', why='one block of MiniLM; 40 steps of 32'),
  )
  c.heads.guide = common.minilm(scale, on='data.ids')
  c.view = dict(name='columns', names=('ids', 'positive'))
  c.passes.pairs = dict(name='embed')
  c.passes.guide = dict(name='embed', towers='guide')
  of = dict(q='pairs.q[0]', k='pairs.q[1]', guide_q='guide.q[0]', guide_k='guide.q[1]')
  c.losses.gist = dict(name='gist', of=of, temperature=0.05)
  c.phases = (dict(losses=('gist',), train=('backbone',)),)
  c.watch = ('pairs.q[0]', 'pairs.q[1]')
  c.claim = dict(
    metric='sts_spearman', beats=('raw_input', 'random_init', 'start', 'no guide'), margin=0.005,
    variants={'no guide': ('losses.gist.margin=-4.0',)},  # cosines differ by 2 at most
    without='no guide',
  )  # fmt: skip
  return c
