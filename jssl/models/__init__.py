"""Backbones and heads."""

from jssl.models.layers.attention import Attention, attention
from jssl.models.layers.blocks import Block, FeedForward, scan, stacked
from jssl.models.layers.convolution import Conv, convolve
from jssl.models.layers.dropout import drop_path, dropout
from jssl.models.layers.normalization import normalization
from jssl.models.text.bert import Bert
from jssl.models.vision.convnet import ConvNet
from jssl.models.vision.mlp import Mlp
from jssl.models.vision.resnet import ResNet, resnet18, resnet34, resnet50
from jssl.models.vision.vit import ViT, vit_base, vit_giant, vit_huge, vit_hybrid_micro, vit_large, vit_micro, vit_small, vit_tiny
