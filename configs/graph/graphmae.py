"""GraphMAE. Hou, Liu, Cen, Dong, Yang, Wang, Tang, KDD 2022. arXiv:2205.10803, section 3, Eq. 1 and 2.

The scale `ogbn_arxiv` has the constants of configs.yml of the official code. The user gives the graph, with standardised features.
Deviates there: an example is a node with up to 64 nodes around it, and an update sees 1,024 of them (official: the whole graph in each of 1,000
updates); nodes are held out at random (official: the newest papers).
"""

from jssl.configs import common

PUBLISHED = dict(
  ogbn_arxiv=dict(metric='linear_top1', value=0.7175, source='arXiv:2205.10803, Table 1, Ogbn-arxiv', hardware='not published', hours=None),
)


def get_config(scale='small'):
  full = scale == 'ogbn_arxiv'
  c = common.arxiv(batch_size=1024, steps=1000) if full else common.base(scale, data='blocks', batch_size=50, epochs=20)
  c.parts = (
    'features of half of the nodes replaced by a learned vector before the encoder',
    'graph attention as encoder: 2 layers of 4 heads, 64 wide (paper: 512 to 1,024), PReLU, dropout of 0.2 and 0.1; 3 layers at ogbn_arxiv',
    're-mask: a linear map, then zeros at the masked nodes before the decoder',
    'one layer of graph attention as decoder, from the neighbours to the features',
    'scaled cosine error with gamma 3 on the masked nodes alone (paper: 1 to 3)',
    'edges dropped by half, layer norm: at the scale ogbn_arxiv',
    'Adam, cosine decay without warm-up; frozen embeddings of the whole graph; ridge regression with 5 labels a class',
    'an autoencoder of the same networks without mask and re-mask as the rival',
    dict(part='rows of the ablation: re-mask, error, decoder, one at a time', out='open', why='not run'),
    dict(part='a share of the masked nodes takes the features of others', out='open', why='none on ogbn-arXiv, where the paper sets it to 0'),
    dict(part='GIN, GCN and perceptrons as encoders or decoders', out='open', why='graph attention alone'),
    dict(part='classification of graphs, transfer to molecules', out='data', why='no package ships them'),
    dict(part='Cora, Citeseer, PubMed, PPI, Reddit', out='data', why='no package ships them; a stochastic block model'),
  )
  widths = common.at(scale)(small=(64, 64), tiny=(8, 8), ogbn_arxiv=(1024,) * 3)
  drop = dict(dropout=0.2, attention_dropout=0.1)
  c.backbone = dict(name='gat', on='data.nodes', widths=widths, heads=4, norm='layer' if full else 'none', **drop)
  c.heads.decoder = dict(name='graph_decoder', dim='data.nodes.width', **drop)
  c.view = dict(name='corrupted_graph', edges=(0.5,), features=(0.0,)) if full else dict(name='whole_graph')
  c.inputs = dict(name='whole_graph')
  c.passes.graph = dict(name='draw')
  c.passes.hidden = dict(name='hide', mask=dict(name='random_nodes', ratio=0.5), on='batch.nodes')
  c.passes.states = dict(name='encode', on='graph.x[0]', mask='hidden.mask')
  c.passes.rebuilt = dict(name='apply', network='decoder', on=('states.tokens', 'graph.x[0]', 'hidden.mask'))
  c.losses.rebuild = dict(name='scaled_cosine', of=('rebuilt.out', 'batch.nodes', 'hidden.mask'), gamma=3.0)
  if full:
    c.optimizer = dict(name='adamw', learning_rate=dict(name='cosine', peak=1e-3), weight_decay=0.0)
  else:
    c.optimizer = dict(name='adamw', learning_rate=dict(name='cosine', peak=2e-3), weight_decay=2e-4)
    c.data.update(inside=0.02, outside=0.005)  # denser graphs leave the untrained network no room
    c.evaluators = dict(fewshot=dict(name='fewshot', shots=(5,)))
  c.claim = dict(
    metric='fewshot_top1_5shot', beats=('raw_input', 'random_init', 'unmasked'), margin=0.02, without='unmasked',
    variants=dict(unmasked=('passes.states.mask=None', 'heads.decoder.remask=False')),
  )  # fmt: skip
  return c
