"""MIReAD. Razdaibiedina, Brechalov, ACL 2023. arXiv:2305.04177, section 2."""

from jssl.configs import common


def get_config(scale='small'):
  c = common.sentences(scale, data='unseen_books', batch_size=64, steps=100, length=24, depth=2, pool='cls')
  c.number = 152
  c.parts = (
    '[CLS] of a pretrained encoder, all of it trained: two blocks of MiniLM (paper: SciBERT)',
    'softmax cross-entropy over fine classes of origin, and no other loss: books of the Bible, of which verses are the texts (paper: journals)',
    "linear classifier on [CLS] (official code: BERT's pooler and dropout before it), which is not used after training",
    'classes with enough texts, each cut down to as many',
    'coarse topics by nearest neighbours, and retrieval of texts of one class, on books that are not in training',
    dict(part='title before abstract; 500,000 papers of PubMed and arXiv, 2,734 journals', out='data', why='no package ships them; verses'),
    dict(part='SPECTER, SciNCL and other rivals that learn from citations', out='data', why='verses do not cite'),
    dict(part='SciBERT: 12 layers, texts of 512 tokens', out='scale', why='two blocks, 24 tokens'),
  )
  c.view = dict(name='columns', names=('ids',))
  c.heads.journal = dict(name='linear', dim='data.book.size')
  c.passes.text = dict(name='embed', heads=('journal',))
  c.losses.journal = dict(name='cross_entropy', of=dict(logits='text.q[0]', labels='batch.book'))
  c.evaluators = dict(knn=dict(name='knn'), retrieval=dict(name='retrieval', queries='test', documents='test'))
  # Contrast of the same texts under dropout, as in SimCSE, which reads no classes.
  contrast = dict(name='simcse', of=('text.q[0]', 'text.q[1]'), temperature=0.05)
  c.claim = dict(
    metric='knn_top1', beats=('raw_input', 'start', 'contrast'), margin=0.02, without='contrast',
    variants=dict(contrast=('view.names=("ids", "ids")', 'passes.text.heads=()', f'losses.journal={contrast}')),
  )  # fmt: skip
  return c
