"""word2vec, CBOW with hierarchical softmax. Mikolov, Chen, Corrado, Dean 2013. arXiv:1301.3781, section 3.1."""

from jssl.configs import common


def get_config(scale='small'):
  c = common.base(scale, data='words', batch_size=4096, steps=250)
  c.number = 205
  c.parts = (
    'continuous bag of words: the mean of the vectors of the context tells the word in the middle',
    'hierarchical softmax over the Huffman tree of the counts; vectors of inner nodes begin at 0',
    'windows of a size drawn up to 5 to each side (paper: 4 to each side)',
    'skip-gram as the rival: one word of the context a visit tells the middle one (paper: all of them, windows up to 10)',
    'frequent words are thinned out (not in this paper), once, t = 1e-3',
    'semantic and syntactic analogies by 3CosAdd, without the words asked',
    'AdamW with a rate that falls to 0 (paper: SGD from 0.025)',
    dict(part='neural language models, feed-forward and recurrent, as rivals; time of training', out='open', why='not implemented'),
    dict(part='Microsoft sentence completion', out='data', why='no package ships it'),
    dict(part='news of 6 billion words; up to 1,000 dimensions', out='scale', why='860,000 words; 64 dimensions'),
  )
  c.data.tree = True
  c.backbone = dict(name='embedding_bag', dim=common.at(scale)(small=64, tiny=8))
  c.heads.nodes = dict(name='embedding', count='data.nodes.size', std=0.0)
  c.passes.path = dict(name='lookup', sampler=dict(name='huffman_path'), networks=dict(h='backbone', nodes='nodes'))
  c.losses.tree = dict(name='hierarchical_softmax', of=dict(h='path.h', nodes='path.nodes', turns='path.turns'))
  c.optimizer = dict(name='adamw', learning_rate=dict(name='linear', start=1e-2, end=0.0), weight_decay=0.0)
  c.evaluators = dict(words=dict(name='word_similarity'))
  c.claim = dict(
    metric='words_analogy_syntactic_mrr', beats=('random_init', 'skip_gram'), margin=0.005,
    variants=dict(skip_gram=('passes.path.sampler.name=huffman_path_from_one',)),
  )  # fmt: skip
  return c
