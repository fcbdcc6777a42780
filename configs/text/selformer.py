"""SELFormer. Yuksel, Ulusoy, Unlu, Dogan, Mach. Learn.: Sci. Technol. 2023. arXiv:2304.04662: masked symbols of SELFIES.

Whole SELFIES symbols take the place of byte pairs, and every chosen token, three in ten, is hidden; raw_input is a bag of symbols.
The network is read frozen, at all of its depths: its last block tells hidden symbols and keeps less of the molecule.
Not held so far: a bag of symbols, whose counts are exact, tells as much; the same network on SMILES tells more than both.
"""

from jssl.configs import common


def get_config(scale='small'):
  c = common.base(scale, data='solubility', batch_size=32, epochs=None, steps=900)
  c.number, c.data.notation = 48, 'selfies'
  c.parts = (
    'SMILES translated to SELFIES; the same network on SMILES as a row',
    'masked language modelling with all of the chosen tokens masked, 30 % of them (paper: 15 %)',
    'post-norm transformer encoder; a molecule is the mean of its tokens over all layers',
    'solubility by ridge regression on the frozen network, R^2; a bag of symbols as the rival',
    dict(part='byte-pair tokens of SELFIES, a vocabulary of 800', out='open', why='each symbol of SELFIES is a token'),
    dict(part='10 % of the chosen tokens random, 10 % kept', out='open', why='all are masked'),
    dict(part='fine-tuning with a head of two dense layers, scaffold split', out='open', why='a frozen network; the split of the file'),
    dict(part='classification and regression tasks of MoleculeNet', out='data', why='no package ships them all; one set of solubilities'),
    dict(part='2 million molecules of ChEMBL', out='data', why='not packaged; some thousands of FreeSolv and ChEMBL'),
    dict(part='RoBERTa of up to 12 layers, 768 wide', out='scale', why='two blocks, 64 wide, 900 steps'),
  )
  c.backbone = dict(name='bert_averaged', width=64, depth=2, heads=4, std=0.1)
  c.heads.lm = dict(name='lm_head')
  c.optimizer.learning_rate.peak = 4e-3
  c.passes.mlm = dict(name='masked_lm', mask=dict(name='mask_tokens', ratio=0.3))
  c.losses.mlm = dict(name='token_cross_entropy', of=('mlm.logits', 'mlm.labels', 'mlm.valid'))
  c.metrics.accuracy = dict(name='token_accuracy', of=('mlm.logits', 'mlm.labels', 'mlm.valid'))
  c.evaluators = dict(solubility=dict(name='labelled_regression'))
  c.claim = dict(
    metric='solubility_r2', beats=('raw_input', 'random_init'), margin=0.02,
    variants=dict(smiles=('data.notation=smiles',)),
  )  # fmt: skip
  return c
