"""SciNCL. Ostendorff, Rethmeier, Augenstein, Gipp, Rehm, EMNLP 2022. arXiv:2202.06671, Eq. 1 and section 3."""

from jssl.configs.documents import specter

from jssl.configs import common


def get_config(scale='small'):
  c = specter.get_config(scale)
  c.number, c.steps = 52, common.at(scale)(small=300, tiny=8)
  c.parts = (
    'triplet loss of Euclidean distances, margin 1, of vectors that are not normalised',
    'embedding of the citations, unit vectors, of training documents alone: NetMF (paper: PyTorch-BigGraph); neighbours by cosine',
    'positives: neighbours ranked 21 to 25, each used in turn',
    'hard negatives: neighbours ranked 399 and 400 (paper: 3,999 and 4,000); the gap between them and positives is the margin of sampling',
    'five triplets a document: two with hard negatives, three with random ones, of which none is among the nearest 400 (official code: 4,000)',
    "SPECTER's triplets, of direct citations, as the rival; MAP of the citations of new documents by Euclidean distances, as in SciDocs",
    'mean of the tokens of a transformer of one block (paper: [CLS])',
    dict(part='other ranks, positives and negatives by a threshold of similarity, by clusters', out='open', why='no row runs them'),
    dict(part='training of biases alone; shares of the training data', out='open', why='no row runs them'),
    dict(part='titles and abstracts, S2ORC, SciDocs', out='data', why='none packaged; documents drawn from topics, that cite each other'),
    dict(part='SciBERT; 52 million papers', out='scale', why='one block, 48 wide, from scratch; 1,600 documents'),
  )
  c.data = dict(name='citation_neighbours', positives=(25, 5), hard=(400, 2), easy=3)
  c.backbone = common.transformer(scale, 'bert', width=48, depth=1, heads=4, pool='mean', std=0.1)
  c.optimizer.learning_rate.peak = 3e-3
  c.claim = dict(
    metric='retrieval_map', beats=('raw_input', 'random_init'), margin=0.01,
    also=(dict(metric='retrieval_map', beats=('citations',), margin=0.005),),
    variants=dict(citations=('data.name=citations',)),
  )  # fmt: skip
  return c
