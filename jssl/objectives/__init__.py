"""Objectives: pure functions of arrays, grouped by mathematics.

Each returns one loss an example, [b], and a scalar only where the formula does not separate. Arrays are those of the
whole global batch: a sum over the batch in a formula is a sum over the batch on all devices.
"""

from jssl.objectives.clustering import deep_cluster, dino, dino_teacher, msn, sinkhorn, swav
from jssl.objectives.contrastive import (
  align,
  align_uniform,
  debiased,
  decoupled,
  filtered_info_nce,
  in_batch_softmax,
  info_nce,
  info_nce_queue,
  koleo,
  nnclr,
  nt_xent,
  sig_lip,
  spectral,
  sup_con,
  uniform,
)
from jssl.objectives.control import (
  act_jepa,
  allo,
  allo_errors,
  double_dqn,
  dynamo,
  graph_drawing,
  musik,
  reward_error,
  self_predictive,
  spr,
  taco,
)
from jssl.objectives.diffusion import denoising_mse, gaussian_kl, mmd, umd
from jssl.objectives.distil import (
  kl_logits,
  match_tokens,
  ranking_distillation,
  token_alignment,
  wcord_global,
  wcord_local,
  wcord_scores,
)
from jssl.objectives.invariance import conditional_mmd
from jssl.objectives.kg import margin_ranking, self_adversarial, square_norm
from jssl.objectives.labelled import (
  aam_softmax,
  am_softmax,
  angle,
  angular_prototypical,
  cores,
  cosent,
  cosine_regression,
  edl,
  entity_recovery,
  euclidean_triplet,
  first_cross_entropy,
  ge2e,
  i_edl,
  paired_cross_entropy,
  prototypical,
  simplex,
  softmax_cross_entropy,
  triplet,
)
from jssl.objectives.multiview import (
  bidirectional_margin,
  care,
  kl_align,
  non_negative,
  pairwise_info_nce,
  patch_discrimination,
  patch_similarity,
  poly_view_arithmetic,
  poly_view_geometric,
  poly_view_statistics,
  rectify,
  simcse,
  symile,
)
from jssl.objectives.partial import known_cross_entropy
from jssl.objectives.prediction import byol, latent_l1, latent_l2, negative_cosine, smooth_l1
from jssl.objectives.preference import (
  binary_preference,
  bradley_terry,
  cdpo,
  dpo,
  gae,
  goal_contrast,
  ipo,
  kto,
  kto_unpaired,
  orpo,
  ppo_clip,
  robust_dpo,
  rrhf,
  simpo,
  slic,
)
from jssl.objectives.rank import rank_penalty
from jssl.objectives.reconstruction import masked_l1, masked_mse
from jssl.objectives.redundancy import barlow_twins, covariance, tico, tico_covariance, variance, vicreg, w_mse
from jssl.objectives.sequence import (
  codebook_cross_entropy,
  masked_value_mse,
  replaced_token_detection,
  token_cross_entropy,
)
from jssl.objectives.words import (
  cbow,
  hierarchical_softmax,
  position_weighted_cbow,
  sgns,
)
from jssl.parts.noise import cosine_schedule, linear_schedule, noised
from jssl.parts.scores import SCORES, bilinear, complex_, distmult, rotate, transe

OBJECTIVES = {
  # contrastive
  'nt_xent': nt_xent,
  'info_nce': info_nce,
  'info_nce_queue': info_nce_queue,
  'filtered_info_nce': filtered_info_nce,
  'sup_con': sup_con,
  'nnclr': nnclr,
  'decoupled': decoupled,
  'debiased': debiased,
  'sig_lip': sig_lip,
  'spectral': spectral,
  'align': align,
  'uniform': uniform,
  'align_uniform': align_uniform,
  'koleo': koleo,
  'in_batch_softmax': in_batch_softmax,
  # redundancy
  'barlow_twins': barlow_twins,
  'vicreg': vicreg,
  'variance': variance,
  'covariance': covariance,
  'w_mse': w_mse,
  'tico': tico,
  # clustering
  'swav': swav,
  'dino': dino,
  'msn': msn,
  'deep_cluster': deep_cluster,
  # prediction
  'negative_cosine': negative_cosine,
  'byol': byol,
  'smooth_l1': smooth_l1,
  'latent_l2': latent_l2,
  'latent_l1': latent_l1,
  # reconstruction
  'masked_mse': masked_mse,
  'masked_l1': masked_l1,
  # multiview
  'poly_view_geometric': poly_view_geometric,
  'poly_view_arithmetic': poly_view_arithmetic,
  'poly_view_statistics': poly_view_statistics,
  'care': care,
  'symile': symile,
  'pairwise_info_nce': pairwise_info_nce,
  'non_negative': non_negative,
  'patch_discrimination': patch_discrimination,
  'patch_similarity': patch_similarity,
  'simcse': simcse,
  'kl_align': kl_align,
  'bidirectional_margin': bidirectional_margin,
  # sequence
  'token_cross_entropy': token_cross_entropy,
  'replaced_token_detection': replaced_token_detection,
  'codebook_cross_entropy': codebook_cross_entropy,
  'masked_value_mse': masked_value_mse,
  # preference
  'bradley_terry': bradley_terry,
  'binary_preference': binary_preference,
  'goal_contrast': goal_contrast,
  'dpo': dpo,
  'cdpo': cdpo,
  'robust_dpo': robust_dpo,
  'ipo': ipo,
  'slic': slic,
  'rrhf': rrhf,
  'kto': kto,
  'kto_unpaired': kto_unpaired,
  'orpo': orpo,
  'simpo': simpo,
  'ppo_clip': ppo_clip,
  # labelled
  'prototypical': prototypical,
  'paired_cross_entropy': paired_cross_entropy,
  'first_cross_entropy': first_cross_entropy,
  'angular_prototypical': angular_prototypical,
  'ge2e': ge2e,
  'triplet': triplet,
  'euclidean_triplet': euclidean_triplet,
  'softmax_cross_entropy': softmax_cross_entropy,
  'am_softmax': am_softmax,
  'aam_softmax': aam_softmax,
  'known_cross_entropy': known_cross_entropy,
  'cores': cores,
  'edl': edl,
  'i_edl': i_edl,
  'cosine_regression': cosine_regression,
  'cosent': cosent,
  'angle': angle,
  'entity_recovery': entity_recovery,
  # kg
  'margin_ranking': margin_ranking,
  'self_adversarial': self_adversarial,
  'square_norm': square_norm,
  # words
  'sgns': sgns,
  'cbow': cbow,
  'position_weighted_cbow': position_weighted_cbow,
  'hierarchical_softmax': hierarchical_softmax,
  # control
  'taco': taco,
  'reward_error': reward_error,
  'allo': allo,
  'graph_drawing': graph_drawing,
  'spr': spr,
  'self_predictive': self_predictive,
  'musik': musik,
  'act_jepa': act_jepa,
  'dynamo': dynamo,
  'double_dqn': double_dqn,
  # diffusion
  'denoising_mse': denoising_mse,
  'gaussian_kl': gaussian_kl,
  'mmd': mmd,
  # invariance, rank
  'conditional_mmd': conditional_mmd,
  'rank_penalty': rank_penalty,
  'umd': umd,
  # distil
  'kl_logits': kl_logits,
  'ranking_distillation': ranking_distillation,
  'token_alignment': token_alignment,
  'wcord_global': wcord_global,
  'wcord_scores': wcord_scores,
  'wcord_local': wcord_local,
}

__all__ = [
  *OBJECTIVES,
  'OBJECTIVES',
  'SCORES',
  'dino_teacher',
  'allo_errors',
  'bilinear',
  'complex_',
  'cosine_schedule',
  'distmult',
  'gae',
  'linear_schedule',
  'match_tokens',
  'noised',
  'rectify',
  'rotate',
  'simplex',
  'sinkhorn',
  'tico_covariance',
  'transe',
]
