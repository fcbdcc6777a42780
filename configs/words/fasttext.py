"""fastText with position weights. Grave, Bojanowski, Gupta, Joulin, Mikolov, LREC 2018. arXiv:1802.06893, section 3."""

from jssl.configs import common


def get_config(scale='small'):
  c = common.base(scale, data='words', batch_size=1024, steps=1500)
  c.number = 197
  c.parts = (
    'continuous bag of words in which each position of the window, 5 to each side, has a learned vector of weights',
    'negative sampling, 10 a word, in proportion to the root of the counts, as in fastText',
    'character n-grams of 5 letters, hashed, beside a vector for each word',
    'a word is the mean of its vectors, and the window the mean of its words (fastText: one mean of all n-grams of the window)',
    'windows of a size drawn up to 5; frequent words thinned out once, t = 1e-3 (fastText: anew in each pass, 1e-4)',
    'analogies by 3CosAdd, without the words asked; rows without position weights, and without n-grams too',
    'AdamW with a rate that falls to 0 (fastText: SGD)',
    dict(part='fastText skip-gram with n-grams of 3 to 6 letters and 5 negatives as the rival', out='open', why='bags of words alone'),
    dict(part='Wikipedia and Common Crawl in 157 languages, told by a classifier', out='data', why='the King James Bible and news'),
    dict(part='analogies in French, Hindi and Polish', out='data', why='no package ships them'),
    dict(part='300 dimensions, 2 million buckets', out='scale', why='48 dimensions, 20,000 buckets'),
  )
  c.data.ngrams, c.data.power = (5,), 0.5
  c.backbone = dict(name='embedding_bag', dim=common.at(scale)(small=48, tiny=8))
  c.heads.outputs = dict(name='embedding', count='data.noise.size', std=0.0)
  c.heads.positions = dict(name='table', count='data.context.length')
  c.passes.window = dict(
    name='lookup',
    sampler=dict(name='cbow_context', negatives=10),
    networks=dict(context='backbone', target='outputs', negatives='outputs'),
  )
  of = {name: f'window.{name}' for name in ('context', 'target', 'negatives', 'mask')}
  c.losses.windows = dict(name='position_weighted_cbow', of=dict(**of, position='nets.positions'))
  c.optimizer = dict(name='adamw', learning_rate=dict(name='linear', start=1e-2, end=0.0), weight_decay=0.0)
  c.evaluators = dict(words=dict(name='word_similarity'))
  plain = (f'losses.windows={dict(name="cbow", of=of)}',)
  c.claim = dict(
    metric='words_analogy_syntactic_mrr', beats=('random_init', 'cbow'), margin=0.01,
    also=(dict(metric='words_analogy_syntactic_mrr', beats=('no_positions',), margin=0.005),),
    variants=dict(no_positions=plain, cbow=(*plain, 'data.ngrams=None')),
  )  # fmt: skip
  return c
