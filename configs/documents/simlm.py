"""SimLM. Wang, Yang, Huang, Jiao, Yang, Jiang, Majumder, Wei, ACL 2023. arXiv:2207.02578, section 3: a vector has to rebuild its passage.

Built: two independent maskings, filled in by sampling from a frozen generator; the original told at every token by an encoder and,
from its [CLS] and the embeddings, by a decoder of two layers that begins as the encoder's last two and is dropped afterwards; then four
networks one after the other: two retrievers, with lexical negatives and with those the first one finds, a cross-encoder, and a retriever
that learns from it and from contrast.
Left out: BERT and ELECTRA as they come (data: their weights are not packaged, and a first phase of masked words makes small ones); BM25
(TF-IDF finds the first negatives); masks of whole words (data: ids do not say where a word ends); 12 layers, 80,000 steps of 2,048
passages of MS MARCO of 144 tokens, 24 candidates of a query (scale); other similarities in the denominator and masks of which one holds the
other (in the code alone).
"""

from jssl.configs import common


def get_config(scale='small'):
  c = common.text(scale, data='king_james_passages', batch_size=32, steps=480, vocabulary=1024, length=48)
  c.number, c.claim = 160, None
  c.backbone.update(pool='cls', length=96, depth=2)
  bert = dict(c.backbone, on='data.ids')
  c.heads = dict(lm=dict(name='lm_head'), decoder=dict(name='token_decoder', depth=2, heads=4, dropout=0.1, post_norm=True))
  c.heads.update(generator=dict(bert, width=32, depth=1, dropout=0.0), generator_lm=dict(name='lm_head', on='generator'))
  c.heads.update(first=bert, second=bert, ranker=dict(bert, dropout=0.0), relevance=dict(name='linear', on='ranker', dim=1))
  generated = lambda ratio: dict(name='replace_tokens', mask=dict(name='mask_tokens', ratio=ratio), head='generator_lm', sample=True)
  for name, by in dict(bert={}, electra=dict(encoder='generator', head='generator_lm')).items():
    c.passes[name] = dict(name='masked_lm', mask=dict(name='mask_tokens', ratio=0.15), **by)
    c.losses[name] = dict(name='token_cross_entropy', of=(f'{name}.logits', f'{name}.labels', f'{name}.valid'))
  c.passes.real = dict(name='sample', sampler=dict(name='real_tokens', names=('ids',), first='data.ids.first'))
  c.passes.read, c.passes.rebuilt = generated(0.3), generated(0.5)
  c.passes.encoder = dict(name='encode', on='read.ids')
  c.passes.decoder = dict(name='encode', on='rebuilt.ids', network='decoder', embedder='backbone', first_token='encoder.first')
  for name in ('encoder', 'decoder'):
    c.passes[f'{name}_logits'] = dict(name='apply', network='lm', on=(f'{name}.tokens', 'nets.backbone.table'))
    c.losses[name] = dict(name='token_cross_entropy', of=(f'{name}_logits.out', 'batch.ids', 'real.ids'))
  for net, weight in dict(first=1.0, second=1.0, backbone=0.2).items():
    c.passes[net] = dict(name='embed', view=dict(name='columns', names=('query', 'ids'), lists=('negatives',)), towers=net)
    of = dict(q=f'{net}.q[0]', k=f'{net}.q[1]', negatives=f'{net}.q[2:]')
    c.losses[net] = dict(name='info_nce', of=of, temperature=0.02, weight=weight)
  both = dict(name='joined', first='query', names=('ids',), lists=('negatives',))
  c.passes.judged = dict(name='embed', view=both, towers='ranker', heads=('relevance',))
  c.losses.ranking = dict(name='first_cross_entropy', of=('judged.score',))
  c.losses.distilled = dict(name='ranking_distillation', of=('backbone.q[0]', 'backbone.q[1:]', 'judged.score'), temperature=0.02)
  mined = lambda by: dict(negatives=dict(name='hard_negatives', count=3, query='query', passage='ids', by=by, every='100%'))
  c.phases = (
    dict(steps='25%', losses=('bert', 'electra'), train=('backbone', 'lm', 'generator', 'generator_lm')),
    dict(steps='30%', losses=('encoder', 'decoder'), train=('backbone', 'lm', 'decoder'), start=dict(decoder='backbone[-2:]')),
    dict(steps='10%', losses=('first',), train=('first',), start=dict(first='backbone'), refresh=mined('tf_idf')),
    dict(steps='10%', losses=('second',), train=('second',), start=dict(second='backbone'), refresh=mined('first')),
    dict(steps='10%', losses=('ranking',), train=('ranker', 'relevance'), start=dict(ranker='backbone'), refresh=mined('second')),
    dict(losses=('backbone', 'distilled'), train=('backbone',), refresh=mined('second')),
  )
  c.evaluators = dict(retrieval=dict(name='retrieval', documents='test', ks=(10, 20)))
  return c
