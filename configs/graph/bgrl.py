"""BGRL. Thakoor, Tallec, Azar, Azabou, Dyer, Munos, Velickovic, Valko, ICLR 2022. arXiv:2102.06514, section 2, Eq. 1 to 3.

The scale `ogbn_arxiv` has the encoder and the constants of the paper for ogbn-arXiv (section 3.2 and appendix; drops of 0.6 of the edges, rate
1e-2 and the widths are from memory of its table, as the official code has no run of it). The user gives the graph, with standardised features.
Deviates there: an example is a node with up to 64 nodes around it, and an update sees 4,096 of them (paper: the whole graph in each of 10,000
updates); nodes are held out at random (paper: the newest papers).
"""

from jssl.configs import common

PUBLISHED = dict(
  ogbn_arxiv=dict(
    metric='linear_top1', value=0.7164, source='arXiv:2102.06514, section 3.2, ogbn-arXiv, test', hardware='one V100', hours=None
  ),
)


def get_config(scale='small'):
  c = published() if scale == 'ogbn_arxiv' else common.base(scale, data='blocks', batch_size=200, epochs=200)
  c.parts = (
    'two corrupted views: edges and features dropped, each with a rate of its own for each view, features for all nodes of a graph',
    'the online embedding, through a predictor of two layers with PReLU, predicts the target embedding; cosine, both directions',
    'target network: moving average of the online one, decay rising by a cosine from 0.99 to 1, without gradient, no projector',
    'graph convolutions with PReLU; layer norm at both scales, which the paper has for ogbn-arXiv and PPI (others: batch norm)',
    'standardised weights of all layers but the first, at the scale ogbn_arxiv as in the paper',
    'AdamW, warm-up over a tenth and cosine decay; frozen embeddings of the uncorrupted graph; ridge regression with 5 labels a class',
    'GRACE as a rival: the same views and networks, negatives in the place of the target network',
    'the target starts as a copy of the online network (official code: with weights of its own)',
    dict(part='batch norm over all nodes', out='data', why='padding of small neighbourhoods would count'),
    dict(part='attention (GAT) and GraphSAGE encoders, PPI', out='data', why='no package ships PPI'),
    dict(part='training with labels besides, MAG240M', out='scale', why='240 million nodes'),
    dict(part='WikiCS, Amazon, Coauthor', out='data', why='no package ships them; a stochastic block model'),
  )
  if scale != 'ogbn_arxiv':
    c.data.update(inside=0.02, outside=0.005)  # denser graphs leave the untrained network no room
    widths = common.at(scale)(small=(64, 64), tiny=(8, 8))
    c.backbone = dict(name='gcn', on='data.nodes', widths=widths, norm='layer', act='prelu')
    c.heads.predictor = dict(name='prelu_mlp', widths=(128, widths[-1]))
    c.view = dict(name='corrupted_graph', edges=(0.3, 0.2), features=(0.3, 0.4))
    c.inputs = dict(name='whole_graph')
    c.evaluators = dict(fewshot=dict(name='fewshot', shots=(5,)))
    c.optimizer = dict(name='adamw', learning_rate=dict(name='cosine', peak=5e-3, warmup='10%'), weight_decay=1e-5)
  c.teacher = dict(name='ema', decay=dict(name='rise', start=0.99), networks=('backbone',))
  c.passes.views = dict(name='embed', predictor='predictor')
  c.losses.bootstrap = dict(name='byol', of=('views.q', 'views.k'), pairs='all')
  shared = ('teacher=None', 'passes.views.predictor=None')
  negatives = ('passes.views.heads=("predictor",)', 'losses.bootstrap.name=nt_xent', 'losses.bootstrap.temperature=0.4')
  c.claim = dict(
    metric='fewshot_top1_5shot', beats=('raw_input', 'random_init', 'aligned'), margin=0.03, without='aligned',
    also=(dict(metric='fewshot_top1_5shot', beats=('grace',), margin=-0.03),),
    variants=dict(aligned=(*shared, 'losses.bootstrap.name=alignment'), grace=(*shared, *negatives)),
  )  # fmt: skip
  return c


def published():
  c = common.arxiv(batch_size=4096, steps=10_000)
  c.backbone = dict(name='gcn', on='data.nodes', widths=(256, 256, 256), norm='layer', act='prelu', standardize=True)
  c.heads.predictor = dict(name='prelu_mlp', widths=(256, 256))
  c.view = dict(name='corrupted_graph', edges=(0.6, 0.6), features=(0.0, 0.0))
  c.optimizer = dict(name='adamw', learning_rate=dict(name='cosine', peak=1e-2, warmup=1000), weight_decay=1e-5)
  return c
