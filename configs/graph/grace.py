"""GRACE. Zhu, Xu, Yu, Liu, Wu, Wang 2020. arXiv:2006.04131, Eq. 1 and 2: the loss is that of SimCLR over nodes."""

from jssl.configs import common


def get_config(scale='small'):
  c = common.base(scale, data='blocks', batch_size=200, epochs=50)
  c.number = 57
  c.parts = (
    'two corrupted views: edges removed with 0.2 and 0.4, features masked with 0.3 and 0.4, the rates of the paper for Cora',
    'contrast of nodes against all others of both views, symmetric, temperature 0.4, after a two-layer projector with ELU',
    'two graph convolutions with ReLU after each, both 64 wide (official code for Cora: 256, then 128)',
    'batches of 200 neighbourhoods, cut to 32 nodes, each corrupted on its own (paper: the whole graph, one mask of features a step)',
    'frozen embeddings of the uncorrupted graph without projector; ridge regression, 5 labels a class (paper: logistic regression, 10 %)',
    'raw features and the untrained encoder as baselines',
    dict(part='graph autoencoders, DGI, DeepWalk and node2vec as baselines', out='open', why='not implemented'),
    dict(part='inductive learning on Reddit and PPI with GraphSAGE encoders', out='open', why='not implemented'),
    dict(part='Cora, Citeseer, Pubmed and DBLP', out='data', why='no package ships them; a stochastic block model'),
  )
  c.backbone = dict(name='gcn', on='data.nodes', widths=common.at(scale)(small=(64, 64), tiny=(8, 8)))
  c.heads.projector = dict(name='mlp', widths=(64, 64), norm='none', act='elu')
  c.view = dict(name='corrupted_graph', edges=(0.2, 0.4), features=(0.3, 0.4))
  c.inputs = dict(name='whole_graph')
  c.passes.views = dict(name='embed', heads=('projector',))
  c.losses.grace = dict(name='nt_xent', of=('views.q', 'views.k'), pairs='all', temperature=0.4)
  c.optimizer.learning_rate.peak = 2e-3
  c.optimizer.weight_decay = 1e-5
  c.evaluators = dict(fewshot=dict(name='fewshot', shots=(5,)))
  c.claim = dict(metric='fewshot_top1_5shot', beats=('raw_input', 'random_init'), margin=0.03)
  return c
