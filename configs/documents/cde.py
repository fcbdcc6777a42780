"""Contextual Document Embeddings (CDE). Morris, Rush, ICLR 2025. arXiv:2410.02525, section 4: a text is read beside others of its corpus.

Built: batches that are clusters of a surrogate's pairs; keys that the surrogate holds for as good as the right one left out; a first
network that embeds the documents of the batch, once for all of them, and a second, with weights of its own, that reads these vectors,
in no order, before the text, and learns to do without some; at test documents of the corpus are embedded once.
Left out: 512 context documents, 234 million pairs and batches by data set (scale); pre-trained networks, surrogate included, which a first
phase trains here on batches at random (data: no weights are packaged); the supervised phase and the prefixes of query and document (data: a
query and its passage are verses alike); learned tokens after the context and a residual head (in the code alone).
"""

from jssl.configs import common


def get_config(scale='small'):
  c = common.text(scale, data='king_james_passages', batch_size=32, steps=600, length=48)
  c.number = 267
  c.backbone.update(depth=1, std=0.02)
  c.optimizer.learning_rate.peak = 6e-3
  c.heads.contexts = dict(c.backbone, on='data.ids')
  c.heads.surrogate = dict(name='embedding_bag', on='data.ids', dim=128, std=0.1)
  c.backbone.update(name='contextual_bert', contexts=c.batch_size, null=0.005)
  pair = dict(name='columns', names=('query', 'ids'))
  c.passes.cheap = dict(name='embed', view=pair, towers='surrogate')
  c.passes.contexts = dict(name='embed', view=dict(name='columns', names=('ids',)), towers='contexts')
  c.passes.asked = dict(name='encode', on='batch.query', context='whole.contexts.q[0]')
  c.passes.found = dict(name='encode', on='batch.ids', context='whole.contexts.q[0]')
  c.losses.surrogate = dict(name='info_nce', of=('cheap.q[0]', 'cheap.q[1]'), temperature=0.05)
  c.losses.contrast = dict(
    name='filtered_info_nce', temperature=0.02,
    of=dict(q='asked.pooled', k='found.pooled', surrogate_q='cheap.q[0]', surrogate_k='cheap.q[1]'),
  )  # fmt: skip
  alike = dict(name='cluster_batches', size=c.batch_size, columns=('query', 'ids'), by='surrogate', every='25%')
  fast = dict(name='adamw', learning_rate=dict(name='cosine', peak=1e-2, warmup='10%'), weight_decay=0.05)
  c.phases = (
    dict(steps='40%', losses=('surrogate',), train=('surrogate',), optimizer=fast),
    dict(losses=('contrast',), train=('backbone', 'contexts'), refresh=dict(batches=alike)),
  )
  c.transform = dict(name='corpus_context', network='contexts', count=c.batch_size)
  c.evaluators = dict(retrieval=dict(name='retrieval', documents='test', ks=(10, 20)))
  c.claim = None
  return c
