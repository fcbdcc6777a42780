"""SPECTER. Cohan, Feldman, Beltagy, Downey, Weld, ACL 2020. arXiv:2004.07180, Eq. 1 and section 3.2.

The documents have words in no order, so their encoder is the mean of word vectors; the paper's is a SciBERT.
"""

from jssl.configs import common


def get_config(scale='small'):
  at = common.at(scale)
  c = common.base(scale, data='subtopic_citations', batch_size=64, steps=600)
  c.number = 19
  c.parts = (
    'triplet loss of Euclidean distances, margin 1, of vectors that are not normalised',
    'one encoder for all three documents; citations are used in training alone',
    'hard negatives: cited by the positive, and not by the document; easy ones: drawn from all documents that it does not cite',
    'five triplets a document: two with hard negatives, three with easy ones',
    'MAP of the citations of new documents among all, by Euclidean distances, as in SciDocs; triplets with easy negatives alone as a row',
    dict(part='[CLS] of a transformer', out='open', why='the mean of word vectors, as words have no order'),
    dict(part='classification, co-citation, co-view, co-read and recommendation (SciDocs)', out='data', why='none packaged; citations alone'),
    dict(part='title and abstract of papers of Semantic Scholar', out='data', why='none packaged; documents drawn from topics and sub-topics'),
    dict(part='SciBERT; 146,000 papers as queries', out='scale', why='word vectors, 48 wide; 1,600 documents'),
  )
  c.data.length = at(small=64, tiny=8)
  c.backbone = dict(name='embedding_bag', dim=at(small=48, tiny=8), std=1.0)
  c.view = dict(name='columns', names=('ids', 'positive', 'negative'))
  c.passes.documents = dict(name='embed')
  c.losses.citations = dict(name='euclidean_triplet', of=('documents.q[0]', 'documents.q[1]', 'documents.q[2]'), margin=1.0)
  c.watch = ('documents.q[0]', 'documents.q[1]')
  c.optimizer.learning_rate.peak = 1e-2
  c.optimizer.weight_decay = 0.01
  c.evaluators = dict(retrieval=dict(name='retrieval', queries='test', documents='test', similarity='euclidean'))
  c.claim = dict(
    metric='retrieval_map', beats=('raw_input', 'random_init'), margin=0.01,
    also=(dict(metric='retrieval_map', beats=('random_negatives',), margin=0.005),),
    variants=dict(random_negatives=('data.hard=0', 'data.easy=5')),
  )  # fmt: skip
  return c
