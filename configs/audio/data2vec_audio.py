"""data2vec, for speech. Baevski, Hsu, Xu, Babu, Gu, Auli, ICML 2022. arXiv:2202.03555, sections 3 and 4.2.

The scale `librispeech` is BASE on 960 hours, base_librispeech.yaml in the official code.
Deviates: a target is what a block gives (official: its perceptron alone, before it is added); the teacher has convolutions and positions of its
own (official: those of the student); waves are cut and padded as in wav2vec2, to 320,000 samples, 192 an update (official: 16 GPUs of at most
3,800,000 samples). The published figure and hours are from memory of the paper.
"""

from jssl.configs import common

PUBLISHED = dict(
  librispeech=dict(
    metric='wer_test_other', value=0.123, source='arXiv:2202.03555, Table 2, Base, LS-960, 10 minutes of labels, 4-gram',
    hardware='16 A100 GPUs', hours=None,
  ),
)  # fmt: skip


def get_config(scale='small'):
  at = common.at(scale)
  c = common.speech(scale)
  c.parts = (
    'student: waveforms through convolutions and a transformer that sees a learned vector in the place of masked frames',
    'spans of 10 frames masked, 6.5 % of the frames begin one',
    "target: mean of the teacher's last blocks on the whole wave, each normalised over time: 2 of 2 (paper: 8 of 12)",
    'squared error of masked frames, summed over features and divided by the root of their number; one linear layer',
    'teacher: moving average, decay rising linearly from 0.99 to 0.999 (paper: from 0.999 to 0.9999 in 30,000 updates)',
    'layer norm in the convolutions, five convolutions for positions, held learning rate: at the scale librispeech',
    dict(part='targets before the residual connection; convolutions shared with the teacher', out='open', why='blocks give their sum'),
    dict(part='fine-tuning with CTC and a language model, word error rates', out='open', why='no evaluator; a linear probe of the mean frame'),
    dict(part='LibriSpeech, Libri-light, AudioSet', out='data', why='no package ships them; words of synthetic vowels'),
    dict(part='400,000 updates of 63 minutes, LARGE', out='scale', why='222 updates of 8 seconds at the scale small'),
  )
  regression(
    c, 'batch.wave', decay=dict(name='linear', start=0.99, end=0.999), layers=2, length=at(small=10, tiny=4), width=at(small=64, tiny=16)
  )
  c.claim = dict(
    metric='linear_top1', beats=('random_init', 'last_block'), margin=0.01, without='last_block',
    variants=dict(last_block=('passes.whole_wave.last_layers=1',)),  # one block in place of the mean of several: section 5.3
  )  # fmt: skip
  return c


def regression(c, waves, *, decay, layers, width, length=10, **options):
  c.heads.predictor = dict(name='linear')
  c.teacher = dict(name='ema', decay=decay, networks=('backbone',))
  c.passes.seen = dict(name='masked_frames', on=waves, mask=dict(name='span_mask', ratio=0.065, length=length), **options)
  c.passes.told = dict(name='apply', network='predictor', on='seen.tokens')
  c.passes.whole_wave = dict(name='frame_targets', on=waves, last_layers=layers, **options)
  c.losses.predict = dict(name='latent_l2', of=dict(q='told.out', k='whole_wave.averaged', mask='seen.mask'), weight=width**0.5)


def librispeech():
  options = dict(norm='layer', position_kernel=19, position_layers=5, position_norm=True)
  c = common.librispeech(batch_size=192, steps=400_000, **options)
  c.data.length = 320_000
  c.optimizer.learning_rate = dict(name='hold', peak=5e-4, start=5e-6, end=5e-6, warmup='3%', cooldown='7%')
  c.inputs = dict(name='standardized_waves', names=('wave',), lengths='samples')
  c.passes.waves = dict(name='draw', view=c.inputs.to_dict())
  decay = dict(name='linear', start=0.999, end=0.9999, over=30_000)
  regression(c, 'waves.x[0]', decay=decay, layers=8, width=768, lengths='batch.samples')
  return c
