"""SCT. Limkonchotiwat et al., TACL 2023. arXiv:2311.03228, section 3: views of a sentence agree on their similarity to earlier sentences.

Substitution by synonyms takes the place of back-translation. The encoder begins from the masked language model that jssl ships.
"""

from jssl.configs import common


def get_config(scale='small'):
  c = common.sentences(scale, steps=240, length=32)
  c.number = 163
  c.parts = (
    'two views: the sentence, and a form of it with 30 % of the words replaced by synonyms (paper: back-translation)',
    'three projections in a row, each of two linear layers, ten times as wide within; not used after training',
    'references: the embeddings before the projections, without gradient, of the same forward pass (official code: of another)',
    'a queue of references of each view, to which those of the batch are added; random at the start, as in the official code',
    'similarities of a projected view to the queue of the other follow those of its reference: KL, temperatures 0.03 and 0.02; both ways',
    'mean of the tokens; rows of contrast of the same views (SimCSE), and the start',
    dict(part='distillation from a larger encoder', out='open', why='no teacher alone'),
    dict(part='sentences of SNLI and MultiNLI, translated to German and back; STS, re-ranking, NLI', out='data', why='none packaged; news'),
    dict(part='BERT of 4 to 340 million parameters; queues of 16,384 to 131,072', out='scale', why='two blocks, 96 wide; 1,024'),
  )
  c.data.update(common.start_ids(scale, 32))
  c.data = dict(name='synonyms', of=c.data.to_dict())
  c.backbone = common.start(scale, 'masked_lm', dropout=0.1)
  c.view = dict(name='edited', edits=('keep', 'substitute'), first='data.ids.first', pad='data.ids.pad', mask='data.ids.mask')
  widths = common.at(scale)(small=(960, 96), tiny=(160, 16))
  for name in ('first', 'second', 'third'):
    c.heads[name] = dict(name='mlp', widths=widths, norm='none')
  c.passes.views = dict(name='embed', heads=('first', 'second', 'third'))
  for i, other in ((0, 1), (1, 0)):
    c.memories[f'queue{i}'] = dict(name='queue', of=f'views.pooled[{i}]', size=common.at(scale)(small=1024, tiny=64))
    of = dict(q=f'views.q[{other}]', k=f'views.pooled[{i}]', queue=f'memory.queue{i}')
    c.losses[f'view{i}'] = dict(name='cross_view', of=of, temperature=0.03, reference_temperature=0.02)
  c.watch = ('views.pooled[0]', 'views.pooled[1]')
  contrast = dict(name='simcse', of=('views.q[0]', 'views.q[1]'), temperature=0.05)
  c.claim = dict(
    metric='sts_spearman', beats=('start', 'contrast'), margin=0.01,
    variants={'contrast': (f'losses.view0={contrast}', 'losses.view1.weight=0.0')},
    without='contrast',
  )  # fmt: skip
  return c
