"""SimLM. Wang, Yang, Huang, Jiao, Yang, Jiang, Majumder, Wei, ACL 2023. arXiv:2207.02578, section 3: a vector has to rebuild its passage.

Left out as they are in the official code alone: other similarities in the denominator, and masks of which one holds the other.
"""

from jssl.configs import common


def get_config(scale='small'):
  c = common.text(scale, data='king_james_passages', batch_size=32, steps=480, vocabulary=1024, length=48)
  c.number = 160
  c.parts = (
    'two independent maskings, of 30 % and of 50 % of the tokens, filled in by sampling from a frozen generator',
    'encoder: the original of every token, replaced or not, told from the first; all but special tokens count',
    'decoder: the same from the second, with the state of [CLS] as its first input and the embeddings of the encoder as the others',
    "that decoder: two layers, which begin as the encoder's last two, and are not used afterwards; one head of words for both, equal weights",
    'then retrievers by in-batch contrast of [CLS], temperature 0.02: first with lexical negatives, TF-IDF (paper: BM25), three a query',
    'a second one with the negatives that the first finds, and a cross-encoder with those of the second',
    'at last a retriever that learns from the cross-encoder by KL, and from contrast with weight 0.2',
    'a first phase of masked words makes the encoder and the generator',
    dict(part='masks of whole words', out='open', why='single word pieces'),
    'pre-training by masked words alone as the rival, for as many steps',
    dict(part='rows of decoders of other kinds', out='open', why='no row runs them'),
    dict(part='BERT, and ELECTRA as generator and start of the cross-encoder', out='data', why='no package ships their weights'),
    dict(part='MS MARCO, TREC and Natural Questions', out='data', why='no package ships them; the King James Bible'),
    dict(part='12 layers, 80,000 steps of 2,048 passages, 24 candidates a query', out='scale', why='two layers, 480 steps of 32, 4 candidates'),
  )
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
  # The second phase goes on as the first: masked words of the encoder, and no decoder.
  c.claim = dict(
    metric='retrieval_ndcg10', beats=('random_init', 'masked_words'), margin=0.01, without='masked_words',
    variants=dict(masked_words=("losses.encoder.of=('bert.logits', 'bert.labels', 'bert.valid')", 'losses.decoder.weight=0.0')),
  )  # fmt: skip
  return c
