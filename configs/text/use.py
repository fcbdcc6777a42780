"""Universal Sentence Encoder. Cer et al. 2018. arXiv:1803.11175, sections 2 and 3.

A step draws a batch of every task and sums their losses, where the paper's draws one task's: the same gradient in the mean. Texts are
lower-case word pieces, and not tokens of the Penn Treebank.
"""

from jssl.configs import common


def get_config(scale='small'):
  at = common.at(scale)
  c = common.base(scale, data='reviews_and_lee', batch_size=128, steps=300)
  c.number = 166
  c.parts = (
    'deep averaging network: words and pairs of neighbours averaged, then a feed-forward network, 512 wide',
    'transformer, the sum of its tokens over the root of their number: an option of the backbone that no row runs',
    "input and response: in-batch softmax of inner products, with a network on the response's side; debates and Hamlet",
    'neighbours as in Skip-Thought: the same softmax, with a network for each of two (the paper does not say how they are decoded)',
    'classes of pairs from [u; v; |u - v|; u v]: SimLex-999 in three classes (paper: SNLI)',
    'a batch of every task in each step, whose losses are summed',
    'transfer to a task of few labels by a linear map on the frozen encoder',
    'similarity by the angle: 1 - arccos(cosine) / pi',
    dict(part='transfer by fine-tuning, and beside a word-level CNN on pretrained word vectors', out='open', why='the frozen encoder alone'),
    dict(part='WEAT: associations of words; web text, forums, SNLI; transfer tasks', out='data', why='no package ships them'),
    dict(part='weights of the tasks, Skip-Thought decoder', out='unpublished', why='equal weights; in-batch softmax'),
  )
  c.data.update(common.minilm_ids(scale, 64))
  c.phases = (dict(data=dict(name='sentence_tasks', **common.minilm_ids(scale, 32))),)  # trained on this, judged on c.data
  c.backbone = dict(name='dan', widths=at(small=(256, 512), tiny=(32, 16)))
  for head in ('before', 'after', 'response'):
    c.heads[head] = dict(name='mlp', widths=at(small=(512, 512), tiny=(32, 16)), norm='none')
  c.heads.relation = dict(name='compared', widths=(at(small=512, tiny=32), 3))
  for name, columns in dict(verse=('ids', 'before', 'after'), turn=('said', 'reply'), pair=('first', 'second')).items():
    c.passes[name] = dict(name='embed', view=dict(name='columns', names=columns))
  for head, on in dict(before='verse.q[1]', after='verse.q[2]', response='turn.q[1]', relation=('pair.q[0]', 'pair.q[1]')).items():
    c.passes[head] = dict(name='apply', network=head, on=on)
  for head in ('before', 'after'):
    c.losses[head] = dict(name='in_batch_softmax', of=('verse.q[0]', f'{head}.out'), weight=0.5)
  c.losses.response = dict(name='in_batch_softmax', of=dict(q='turn.q[0]', k='response.out', ids='batch.turn'))
  c.losses.relation = dict(name='cross_entropy', of=dict(logits='relation.out', labels='batch.relation'))
  c.watch = ('verse.q[0]', 'verse.q[1]')
  c.optimizer = dict(name='adamw', learning_rate=dict(name='cosine', peak=2e-3, warmup='10%'), weight_decay=0.01)
  c.evaluators = dict(linear=dict(name='logistic'), sts=dict(name='sts', texts='documents', pairs='pairs_test', angular=True))
  c.claim = dict(
    metric='sts_spearman', beats=('random_init', 'pairs_alone'), margin=0.02, without='pairs_alone',
    also=(dict(metric='linear_top1', beats=('random_init', 'pairs_alone'), margin=0.01),),
    variants=dict(pairs_alone=tuple(f'losses.{name}.weight=0.0' for name in ('before', 'after', 'response'))),
  )  # fmt: skip
  return c
