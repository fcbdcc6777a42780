"""MIReAD. Razdaibiedina, Brechalov, ACL 2023. arXiv:2305.04177, section 2.

Parts:
1. [CLS] of a pretrained encoder, all of it trained: built, on the first blocks of MiniLM; SciBERT left out (scale).
2. Softmax cross entropy over fine classes of origin, and no other loss: built, over books of the Bible, of which verses are the texts.
3. Classes with enough texts, each cut down to as many: built.
4. The classifier thrown away: built; features are those of the encoder.
5. Coarse topics by neighbours, retrieval of texts of one class: built, on books that were not trained on.
6. Titles before abstracts, half a million papers, 2,734 journals, 512 tokens: left out (data, scale).
7. Rivals that learn from citations: left out (data).
"""

from jssl.configs import common


def get_config(scale='small'):
  c = common.sentences(scale, data='unseen_books', batch_size=64, steps=100, length=24, depth=2, pool='cls')
  c.number = 152
  c.view = dict(name='columns', names=('ids',))
  c.heads.journal = dict(name='linear', dim='data.book.size')
  c.passes.text = dict(name='embed', heads=('journal',))
  c.losses.journal = dict(name='cross_entropy', of=dict(logits='text.q[0]', labels='batch.book'))
  c.evaluators = dict(knn=dict(name='knn'), retrieval=dict(name='retrieval', queries='test', documents='test'))
  c.claim = None
  return c
