"""HuBERT. Hsu, Bolte, Tsai, Lakhotia, Salakhutdinov, Mohamed, TASLP 2021. arXiv:2106.07447, sections II to IV.

The paper finds that a second network learns more from clusters of the states of the first one than the first from clusters of cepstra, as they
tell more of the phones (section V.B). So the claim compares with a second network that has clusters of cepstra too, as many and for as long.

The scale `librispeech` is BASE on 960 hours, both iterations, hubert_base_librispeech.yaml in the official code.
Deviates: waves are cut and padded as in wav2vec2; 192 examples an update are 50 minutes at the most (paper: 32 GPUs of at most 87.5 s). An
example skips a block by itself (official: a batch does). Weight decay acts on kernels alone; the official code has four clusters more, which
no frame belongs to. The published figure and hours (9.5 for 100,000 updates) are from memory of the paper.
"""

from jssl.configs import common

PUBLISHED = dict(
  librispeech=dict(
    metric='wer_test_other', value=0.153, source='arXiv:2106.07447, Table II, BASE, LS-960, 10 minutes of labels, 4-gram',
    hardware='32 GPUs', hours=61.75,
  ),
)  # fmt: skip


def get_config(scale='small'):
  at = common.at(scale)
  c = common.speech(scale)
  c.parts = (
    'network and spans as in wav2vec 2.0, 8 % of the frames begin one; spans of 10 frames',
    'first iteration: 20 clusters (paper: 100) of 39 cepstra and their differences, by mini-batch k-means',
    'second iteration: a new network, 40 clusters (paper: 500) of the first block (paper: the sixth of 12) of the first one',
    'cosine of the projected state with a learned vector for each cluster, temperature 0.1, cross-entropy of masked frames alone',
    'mean square of the convolutions, weight 10, and their gradient times 0.1, as in the official code',
    'cepstra again in the second iteration as the rival; phone purity and mutual information of clusters',
    'BASE at full size, dropout, layer drop, k-means on a tenth of the utterances: at the scale librispeech',
    dict(part='ensembles of clusterings, product quantisation of cepstra', out='open', why='one clustering'),
    dict(part='fine-tuning with CTC and a language model, word error rates', out='open', why='no evaluator; a linear probe of the mean frame'),
    dict(part='a loss of visible frames too, other numbers of clusters and masks', out='open', why='no row runs them'),
    dict(part='LARGE and X-LARGE, on clusters of the ninth block of the second BASE', out='open', why='no scale names them'),
    dict(part='LibriSpeech, Libri-light', out='data', why='no package ships them; words of synthetic vowels'),
    dict(part='250,000 and 400,000 updates of 47 minutes', out='scale', why='88 and 134 updates of 8 seconds at the scale small'),
  )
  clusters = dict(name='frame_clusters', frames='data.phones.length', every='100%')
  first, second = at(small=(20, 40), tiny=(4, 6))
  c.refresh = dict(units=dict(clusters, count=second, by='first', layer=1))
  units(c, first, second, steps='40%', dim=32, length=at(small=10, tiny=4), refresh=dict(units=dict(clusters, count=first, rate=8000)))
  c.evaluators.units = dict(name='units', layer=1, clusters=at(small=40, tiny=5))
  cepstra = '{"name": "frame_clusters", "frames": "data.phones.length", "every": "100%", "count": 40, "rate": 8000}'
  c.claim = dict(
    metric='linear_top1', beats=('cepstra', 'random_init'), margin=0.02, without='cepstra',
    manipulation=dict(metric='units_pnmi', beats=('cepstra',), margin=0.01),
    variants=dict(cepstra=(f'refresh.units={cepstra}',)),
  )  # fmt: skip
  return c


def units(c, first, second, *, steps, dim, refresh, length=10, **waves):
  c.heads.first = c.backbone.to_dict() | dict(on='data.wave')
  for name, network, count in (('early', 'first', first), ('late', 'backbone', second)):
    c.heads[f'{name}_out'] = dict(name='linear', on=network, dim=dim)
    c.heads[f'{name}_units'] = dict(name='prototypes', on=f'{name}_out', k=count)
    spans = dict(name='span_mask', ratio=0.08, length=length)
    c.passes[name] = dict(name='masked_frames', on='batch.wave', encoder=network, mask=spans, front_gradient=0.1, **waves)
    c.passes[f'{name}_cosines'] = dict(name='apply', network=(f'{name}_out', f'{name}_units'), on=f'{name}.tokens')
    c.losses[name] = dict(name='hidden_units', of=(f'{name}_cosines.out', 'batch.units', f'{name}.mask'), temperature=0.1)
    c.losses[f'{name}_penalty'] = dict(name='feature_penalty', of=(f'{name}.raw', f'{name}.real'), weight=10.0)
  c.phases = (
    dict(steps=steps, losses=('early', 'early_penalty'), train=('first', 'early_out', 'early_units'), refresh=refresh),
    dict(losses=('late', 'late_penalty'), train=('backbone', 'late_out', 'late_units')),
  )


def librispeech():
  c = common.librispeech(batch_size=192, steps=650_000)
  c.optimizer.clip = 10.0
  clusters = dict(name='frame_clusters', frames=781, lengths='samples', share=0.1, every='100%')
  c.refresh = dict(units=dict(clusters, count=500, by='first', layer=6))
  refresh = dict(units=dict(clusters, count=100, stride=2))
  units(c, 100, 500, steps=250_000, dim=256, refresh=refresh, lengths='batch.samples')
  return c
