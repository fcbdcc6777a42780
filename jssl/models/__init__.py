"""Backbones and heads."""

from jssl.models import heads
from jssl.models.attention import Attention, attention
from jssl.models.bert import Bert
from jssl.models.blocks import Block, FeedForward, scan, stacked
from jssl.models.convnet import ConvNet
from jssl.models.layers import Conv, convolve, drop_path, dropout, normalization
from jssl.models.mlp import Mlp
from jssl.models.resnet import ResNet, resnet18, resnet34, resnet50
from jssl.models.vit import ViT, vit_base, vit_hybrid_micro, vit_large, vit_micro, vit_small, vit_tiny

__all__ = [
  'Attention', 'Bert', 'Block', 'Conv', 'ConvNet', 'FeedForward', 'Mlp', 'ResNet', 'ViT', 'attention', 'convolve', 'drop_path',
  'dropout', 'heads', 'normalization', 'resnet18', 'resnet34', 'resnet50', 'scan', 'stacked',
  'vit_base', 'vit_hybrid_micro', 'vit_large', 'vit_micro', 'vit_small', 'vit_tiny',
]
