"""GISTEmbed. Solatorio 2024. arXiv:2402.16829, section 3: a guide leaves out false negatives of in-batch contrast."""

from jssl.configs import common


def get_config(scale='small'):
  c = common.sentences(scale, batch_size=64, steps=60)
  c.parts = ()
  c.heads.guide = common.minilm(scale, on='data.ids')
  c.optimizer.parts = (dict(of=('guide',), rate=0.0),)
  c.view = dict(name='columns', names=('ids', 'positive'))
  c.passes.pairs = dict(name='embed')
  c.passes.guide = dict(name='embed', towers='guide')
  of = dict(q='pairs.q[0]', k='pairs.q[1]', guide_q='guide.q[0]', guide_k='guide.q[1]')
  c.losses.gist = dict(name='gist', of=of, temperature=0.05)
  c.watch = ('pairs.q[0]', 'pairs.q[1]')
  c.claim = None
  return c
