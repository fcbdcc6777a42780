"""Contextual Document Embeddings (CDE). Morris, Rush, ICLR 2025. arXiv:2410.02525, section 4: a text is read beside others of its corpus.

Learned tokens after the context and a residual head, which are in the official code alone, are left out.
"""

from jssl.configs import common


def get_config(scale='small'):
  c = common.text(scale, data='king_james_passages', batch_size=32, steps=600, length=48)
  c.number = 267
  c.parts = (
    "batches are clusters, by k-means, of a surrogate's pairs of query and document, of the size of a batch, made anew during training",
    'in-batch softmax of cosines, one way, temperature 0.02; keys that the surrogate rates as high as the right one are left out, margin 0',
    'first network: vectors of the documents of a batch, one each, computed once and shared by its queries and documents',
    'second network, with weights of its own: reads these vectors, without positions, before the text; mean of the tokens of the text',
    'each vector of the context is replaced by a learned one with probability 0.005',
    'at test, vectors of 32 documents of the corpus are computed once and are the context of all texts',
    'a book that is not in training is the corpus of the test; NDCG, MAP and recall',
    'surrogate: a bag of words trained by in-batch contrast in a first phase (paper: a pretrained encoder)',
    'rows of batches at random, of the second network without context, and of both, a bi-encoder',
    dict(part='supervised phase with mined negatives; prefixes of query and document', out='data', why='queries and passages are verses alike'),
    dict(part='pretrained BERTs', out='data', why='no package ships their weights; from scratch'),
    dict(part='234 million pairs of many data sets, batches within one; BEIR and MTEB', out='data', why='none packaged; the King James Bible'),
    dict(part='context of 512 documents, gradients cached in two stages', out='scale', why='32 documents, which fit at once'),
  )
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
  surrogate = dict(steps='40%', losses=('surrogate',), train=('surrogate',), optimizer=fast)
  contrast = dict(losses=('contrast',), train=('backbone', 'contexts'))
  c.phases = (surrogate, dict(contrast, refresh=dict(batches=alike)))
  c.transform = dict(name='corpus_context', network='contexts', count=c.batch_size)
  c.evaluators = dict(retrieval=dict(name='retrieval', documents='test', ks=(10, 20)))
  at_random = f'phases={(surrogate, contrast)}'
  # The learned vector stands for every document of the context, in training and at test.
  no_context = ("passes.asked={'name': 'encode', 'on': 'batch.query'}", "passes.found={'name': 'encode', 'on': 'batch.ids'}", 'transform=None')
  c.claim = dict(
    metric='retrieval_ndcg10', beats=('raw_input', 'random_init', 'biencoder'), margin=0.01, without='biencoder',
    also=(dict(metric='retrieval_ndcg10', beats=('random_batches', 'no_context'), margin=0.005),),
    variants=dict(random_batches=(at_random,), no_context=no_context, biencoder=(at_random, *no_context)),
  )  # fmt: skip
  return c
