"""MLM-U. Nolte, Kitouni, Williams, Rabbat, Ibrahim 2024. arXiv:2412.05117, section 3: paths told in any order, not only onwards.

One encoder reads what is visible and tells what is hidden; the paper has a decoder for the second. Of corridors that leave a
room only the first step has to be chosen, and a thousand mazes are seen over and over.
Not held so far: the two end side by side. After five times as many steps it was ahead, by a hair less than was asked; on mazes by
depth-first search and with many mazes it was not.
"""

from jssl.configs import common


def get_config(scale='small'):
  c = common.base(scale, data='corridors', batch_size=64, epochs=None, steps=600)
  c.number, c.data.train = 202, 1000
  c.parts = (
    'a masking rate drawn uniformly for each sequence; each token of the path is masked with it, and nothing of the maze is',
    'cross-entropy of the masked tokens, a mean over all of the batch',
    'path generated from left to right: the most likely token at the first masked position',
    'exact paths, and single tokens, in mazes that were not seen',
    'next-token prediction of the path by a causal transformer of the same width and depth as the rival',
    dict(part='encoder of what is visible; decoder whose queries attend to it alone', out='open', why='one encoder that reads [MASK]'),
    dict(part='rotary positions', out='open', why='learned positions'),
    dict(part='mazes made by depth-first search, up to 30 x 30', out='open', why='5 x 5 with corridors; the official code has star graphs'),
    dict(part='mazes and traces of A* search', out='open', why='not implemented'),
    dict(part='accuracy by number of mazes, by time and by size of the model', out='open', why='one setting'),
    dict(part='20 layers to encode and 20 to decode, 128 wide, 100,000 mazes', out='scale', why='three blocks, 64 wide; 1,000 mazes'),
  )
  shape = dict(width=64, depth=3, heads=4, std=0.1)
  c.backbone = common.transformer(scale, 'bert', **shape)
  c.heads.lm = dict(name='lm_head')
  c.optimizer = dict(name='adamw', learning_rate=dict(name='cosine', peak=3e-3, warmup='10%'), weight_decay=0.01)
  c.passes.path = dict(name='masked_lm', mask=dict(name='mask_uniformly', start='data.ids.start'))
  c.losses.path = dict(name='token_cross_entropy', of=('path.logits', 'path.labels', 'path.valid'))
  c.metrics.accuracy = dict(name='token_accuracy', of=('path.logits', 'path.labels', 'path.valid'))
  c.evaluators = dict(path=dict(name='fill_masked'))
  onwards = (
    f'backbone={common.transformer(scale, "causal_lm", **shape)}', 'evaluators.path.name=greedy_decode',
    f'passes.path={dict(name="causal_lm")}',
  )  # fmt: skip
  c.claim = dict(metric='path_exact', beats=('random_init', 'next token'), margin=0.05, variants={'next token': onwards})
  return c
