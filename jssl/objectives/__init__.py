"""Objectives: pure functions of arrays, grouped by mathematics.

Each returns one loss per example, [b], and a scalar only where the formula is not a mean over examples. Arrays hold the whole global batch:
a
sum over the batch in a formula is a sum over the batch on all devices.
"""

from jssl.objectives.classification import (
  aam_softmax,
  am_softmax,
  binary_cross_entropy,
  cores,
  cross_entropy,
  edl,
  entity_recovery,
  first_cross_entropy,
  i_edl,
  known_cross_entropy,
  paired_cross_entropy,
  simplex,
)
from jssl.objectives.clustering import deep_cluster, dino, dino_teacher, ibot, msn, sinkhorn, swav
from jssl.objectives.contrastive import (
  dcl,
  debiased,
  filtered_info_nce,
  in_batch_softmax,
  info_nce,
  info_nce_queue,
  nnclr,
  nt_xent,
  siglip,
  spectral_contrastive,
  sup_con,
)
from jssl.objectives.contrastive_text import bidirectional_margin, contrastive_tension, dclr, gist, self_guided, simcse
from jssl.objectives.control import (
  act_jepa,
  allo,
  allo_errors,
  double_dqn,
  dynamo,
  graph_drawing,
  linear_self_predictive,
  musik,
  reward_error,
  self_predictive,
  spr,
  taco,
)
from jssl.objectives.dense import dense_info_nce, vicreg_local
from jssl.objectives.diffusion import categorical_kl, denoising_mse, gaussian_kl, mmd, umd
from jssl.objectives.discrepancy import conditional_mmd
from jssl.objectives.distillation import (
  cross_view,
  kl_logits,
  match_tokens,
  ranking_distillation,
  ressl,
  token_alignment,
  wcord_global,
  wcord_local,
  wcord_scores,
)
from jssl.objectives.equivariance import care
from jssl.objectives.information import attention_information
from jssl.objectives.knowledge_graph import margin_ranking, self_adversarial, square_norm
from jssl.objectives.metric import angular_prototypical, euclidean_triplet, ge2e, prototypical, triplet
from jssl.objectives.multi_view import (
  kl_align,
  pairwise_info_nce,
  patch_discrimination,
  patch_similarity,
  poly_view_arithmetic,
  poly_view_geometric,
  poly_view_statistics,
  symile,
  view_centre,
)
from jssl.objectives.non_negative import non_negative, rectify
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
from jssl.objectives.reconstruction import masked_l1, masked_mse, scaled_cosine
from jssl.objectives.redundancy import barlow_twins, covariance, sigreg, tico, tico_covariance, variance, vicreg, w_mse
from jssl.objectives.sequence import (
  code_diversity,
  codebook_cross_entropy,
  feature_penalty,
  hidden_units,
  masked_contrast,
  masked_value_mse,
  replaced_token_detection,
  token_cross_entropy,
)
from jssl.objectives.similarity import angle, cosent, cosine_regression
from jssl.objectives.spectrum import mmcr, rank_penalty
from jssl.objectives.uniformity import align_uniform, alignment, koleo, uniformity
from jssl.objectives.word2vec import cbow, hierarchical_softmax, position_weighted_cbow, sgns
from jssl.ops.noise import cosine_schedule, inverted_schedule, linear_schedule, noised
from jssl.ops.triple_scores import SCORES, bilinear, complex_, distmult, rotate, transe
