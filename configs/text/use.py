"""Universal Sentence Encoder. Cer et al. 2018. arXiv:1803.11175, sections 2 and 3.

Parts:
1. Deep averaging network: words and pairs of neighbours averaged, then a feed-forward network, 512 wide: built.
2. Transformer, its tokens summed over the root of their number: built, --config.backbone={'name': 'bert', 'pool': 'sqrt', ...}.
3. Input and response: in-batch softmax of inner products, with a network on the response's side: built; on debates and Hamlet.
4. Neighbours as Skip-Thought tells them: in that form too, with a network each; the paper does not say how they are decoded.
5. Classes of pairs from [u; v; |u - v|; u v]: built, on SimLex-999 in three classes, as no inferences are at hand (data).
6. Few labels of another task by a linear map on the frozen encoder: built; fine-tuning, word-level CNN: left out (scale), WEAT (data).
7. Angular similarity: built, in the evaluation.
8. Web text, forums and SNLI; tokens of the Penn Treebank: left out (data); these are lower-case word pieces.

A step draws a batch of every task and sums their losses, where the paper's draws one task's: the same gradient in the mean.
"""

from jssl.configs import common


def get_config(scale='small'):
  at = common.at(scale)
  c = common.base(scale, data='reviews_and_lee', batch_size=128, steps=300)
  c.number = 166
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
  c.claim = None
  return c
