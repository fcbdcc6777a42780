"""DR.DECR. Li et al., NAACL 2022. arXiv:2112.08185, section 3: a retriever of another language learns from an English one.

The network first learns to find English verses by English queries; its copy is the teacher of the two stages that follow, as in the official
recipe (PrimeQA): vectors of tokens, then relevance.
"""

from jssl.configs import common


def get_config(scale='small'):
  c = common.base(scale, data='king_james_cipher', batch_size=32, epochs=None, steps=800)
  c.number = 115
  c.parts = (
    'late interaction: sum over query tokens of the best inner product with a passage token; unit vectors, 32 wide (official code: 128)',
    'scores over all passages of the batch (official code: one that answers the query and one that does not)',
    'teacher: the network after cross-entropy over the passages of a batch, given English queries; frozen, and the start of the student',
    "relevance, in a stage of its own: KL of the student's scores, given the translation, from the teacher's, given English; temperature 2",
    'tokens, in the stage before: squared distance of query tokens to those of the teacher, matched one to one, greedily by cosine',
    'and of passage tokens to those of the teacher, which reads the same text; 0.5 each; padding is left out',
    'retrieval of new passages by translated queries; rows of labelled pairs alone, 128 of them, and of relevance alone',
    dict(part='start of the student fine-tuned on cross-lingual triples', out='open', why='the English network'),
    dict(part='query expansion by [MASK], markers of query and passage', out='open', why='tokens as they are'),
    dict(part='rows of English queries to the teacher, and of labels for all translated queries', out='open', why='no row runs them'),
    dict(part='Natural Questions, XOR-TyDi, parallel corpora, machine translation', out='data', why='none packaged; verses and a cipher'),
    dict(part='XLM-R, base and large', out='scale', why='one block, 64 wide, from scratch'),
  )
  c.backbone = common.transformer(scale, 'bert', width=64, depth=1, heads=4, dropout=0.1, std=0.1)
  c.heads.projector = dict(name='linear', dim=32, bias=False)
  c.optimizer.learning_rate = dict(name='constant', value=2e-3)
  vectors = lambda *names: dict(name='embed', view=dict(name='columns', names=names), features='tokens', heads=('projector',), unit=True)
  scores = lambda of, side='q': dict(name='cross', each=f'{of}.{side}[0]', all=f'whole.{of}.{side}[1]', mask='whole.real.ids')
  c.passes.real = dict(name='sample', sampler=dict(name='real_tokens', names=('ids', 'known', 'cipher', 'query')))
  c.passes.english = vectors('query', 'ids')
  c.passes.cipher = vectors('cipher', 'ids')
  c.passes.english_scores, c.passes.cipher_scores = scores('english'), scores('cipher')
  c.passes.teacher_scores = scores('english', 'k')
  c.losses.english = dict(name='paired_cross_entropy', of=('english_scores.scores',))
  c.losses.relevance = dict(name='kl_logits', of=('cipher_scores.scores', 'teacher_scores.scores'), temperature=2.0)
  matched = dict(student='cipher.q[0]', teacher='english.k[0]', student_mask='real.cipher', teacher_mask='real.query')
  c.losses.query = dict(name='token_alignment', of=matched, weight=0.5)
  c.losses.passage = dict(name='latent_l2', of=dict(q='cipher.q[1]', k='english.k[1]', mask='real.ids'), weight=0.5)
  c.metrics.top1 = dict(name='diagonal_top1', of=('english_scores.scores',))
  english = dict(steps='25%', losses=('english',))
  taught = lambda **of: dict(**of, teacher=dict(name='frozen', networks=('backbone', 'projector')))
  c.phases = (english, taught(steps='50%', losses=('query', 'passage')), taught(losses=('relevance',)))
  c.evaluators = dict(verses=dict(name='late_retrieval'))
  known_scores = dict(name='cross', each='cipher.q[0]', all='whole.cipher.q[1]', mask='whole.real.known')
  # The labelled pairs come again in a batch: a passage is no negative of its own query.
  labels = dict(name='paired_cross_entropy', of=dict(scores='cipher_scores.scores', ids='batch.pair'))
  c.claim = dict(
    metric='verses_mrr', beats=('random_init', 'labels alone'), margin=0.05,
    variants={
      'labels alone': (
        f'losses.relevance={labels}', f'phases={(english, dict(losses=("relevance",)))}',
        "passes.cipher.view.names=('asked', 'known')", f'passes.cipher_scores={known_scores}',
      ),
      'relevance alone': (f'phases={(english, taught(losses=("relevance",)))}',),
    },
    without='labels alone',
  )  # fmt: skip
  return c
