"""word2vec, skip-gram with negative sampling. Mikolov, Sutskever, Chen, Corrado, Dean, NeurIPS 2013. arXiv:1310.4546, Eq. 4.

Plain gradient descent, as in the paper, at 0.04 a pair: Adam steps as far for rare words as for frequent ones, which is what
leaving out frequent ones is for.
"""

from jssl.configs import common


def get_config(scale='small'):
  c = common.base(scale, data='words', batch_size=1024, steps=6000)
  c.number = 138
  c.parts = (
    'skip-gram: a word of the context against 5 negatives, by counts to the power of 3/4, of 20 drawn once for each occurrence',
    'two tables, of which the input vectors are kept; output vectors begin at 0',
    'frequent words are thinned out before windows are made: 1 - sqrt(t / f), once, t = 1e-3 (paper: 1e-5); every occurrence as a row',
    'windows of a size drawn up to 5; each visit of a word draws one pair (official code: all of them)',
    'words of a count of 5 and more; SGD at 0.04 a pair, falling to 0 (official code: 0.025)',
    'analogies by 3CosAdd, without the words asked',
    dict(part='phrases, found by the counts of pairs of words, and analogies of phrases', out='open', why='single words'),
    dict(part='hierarchical softmax, noise contrastive estimation as rivals', out='open', why='no row runs them; word2vec_cbow has the first'),
    dict(part='sums of vectors: what two words mean together', out='open', why='not reported'),
    dict(part='news of a billion words and more; 300 dimensions and more', out='scale', why='860,000 words; 64 dimensions'),
  )
  c.backbone = dict(name='embedding_bag', dim=common.at(scale)(small=64, tiny=8))
  c.heads.outputs = dict(name='embedding', count='data.noise.size', std=0.0)
  c.passes.pair = dict(
    name='lookup', sampler=dict(name='skip_gram', negatives=5), networks=dict(centre='backbone', context='outputs', negatives='outputs')
  )
  c.losses.pairs = dict(name='sgns', of=('pair.centre', 'pair.context', 'pair.negatives'))
  c.optimizer = dict(name='sgd', learning_rate=dict(name='linear', start=40.0, end=0.0), momentum=0.0, weight_decay=0.0)
  c.evaluators = dict(words=dict(name='word_similarity'))
  c.claim = dict(
    metric='words_analogy_mrr', beats=('random_init',), margin=0.02,
    also=(dict(metric='words_analogy_mrr', beats=('every_occurrence',), margin=0.005),),
    variants=dict(every_occurrence=('data.subsample=1.0',)),
  )  # fmt: skip
  return c
