"""Pictures from files and arrays: every depth, range, orientation and format is read right or refused by name."""

import io
import logging
import struct

import numpy as np
import pytest
from PIL import Image

from jssl.data import GrainSource, arrays
from jssl.data.core.pictures import decode, like, read_folder


def encoded(image, form='png', **options):
  file = io.BytesIO()
  (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(file, form, **options)
  return file.getvalue()


RAMP = np.linspace(0, 1, 16)[None, :] * np.ones((16, 1))


@pytest.mark.parametrize('form', ['png', 'tiff', 'ppm'])
def test_grey_of_16_bits_is_scaled_by_its_depth(form):
  deep = np.rint(65535 * RAMP).astype(np.uint16)
  np.testing.assert_allclose(decode(encoded(deep, form), (16, 16, 1))[..., 0], 255 * RAMP, atol=0.51)
  assert decode(encoded(deep, form), (16, 16, 3)).shape == (16, 16, 3)


def test_grey_of_12_bits_is_scaled_by_its_depth():
  a, b = np.rint(4095 * RAMP).astype(np.uint32).reshape(-1, 2).T
  twelve = np.stack([a >> 4, (a & 15) << 4 | b >> 8, b & 255], 1).astype(np.uint8).tobytes()  # two levels in three bytes
  entry = lambda tag, value, kind=3: struct.pack('<HHII', tag, kind, 1, value)
  tags = [(256, 16), (257, 16), (258, 12), (259, 1), (262, 1), (273, 8, 4), (277, 1), (278, 16), (279, len(twelve), 4)]
  directory = struct.pack('<H', len(tags)) + b''.join(entry(*tag) for tag in tags) + bytes(4)
  tiff = b'II*\0' + struct.pack('<I', 8 + len(twelve)) + twelve + directory
  np.testing.assert_allclose(decode(tiff, (16, 16, 1))[..., 0], 255 * RAMP, atol=0.51)


def test_floats_are_scaled_or_refused():
  np.testing.assert_allclose(decode(encoded(RAMP.astype(np.float32), 'tiff'), (16, 16, 1))[..., 0], 255 * RAMP, atol=0.51)
  for wrong in (255 * RAMP, RAMP - 1, np.nan * RAMP):
    with pytest.raises(ValueError, match=r'floats from .* expected floats in \[0, 1\].* divide by 255'):
      decode(encoded(wrong.astype(np.float32), 'tiff'), (16, 16, 1))
  with pytest.raises(ValueError, match='32-bit'):
    decode(encoded((70000 * RAMP).astype(np.int32), 'tiff'), (16, 16, 1))
  with pytest.raises(ValueError, match='1, 3 or 4 channels'):
    decode(encoded(np.zeros((4, 4), np.uint8)), (4, 4, 2))


@pytest.mark.parametrize('form', ['jpeg', 'png', 'tiff', 'webp'])
@pytest.mark.parametrize('orientation', range(1, 9))
def test_exif_orientation_is_obeyed(form, orientation):
  upright = np.zeros((64, 96), np.uint8)
  upright[:32, :48] = 250  # white where the top left is
  stored = {
    1: upright, 2: upright[:, ::-1], 3: upright[::-1, ::-1], 4: upright[::-1],
    5: upright.T, 6: np.rot90(upright), 7: upright[::-1, ::-1].T, 8: np.rot90(upright, -1),
  }[orientation]  # fmt: skip
  exif = Image.Exif()
  exif[0x0112] = orientation
  data = encoded(Image.fromarray(np.ascontiguousarray(stored)).convert('RGB'), form, exif=exif)
  for shape in ((64, 96, 1), (16, 24, 1)):  # as it is, and scaled
    h, w, _ = shape
    out = decode(data, shape)[..., 0]
    assert out[: h // 2 - 2, : w // 2 - 2].min() > 200 and out[h // 2 + 2 :].max() < 60 and out[:, w // 2 + 2 :].max() < 60


def test_a_damaged_exif_header_does_not_cost_the_picture():
  data = encoded(Image.new('L', (8, 8), 7), 'jpeg', exif=b'Exif\0\0not a tiff header')
  np.testing.assert_allclose(decode(data, (8, 8, 1)), 7, atol=2)


def test_a_folder_is_covered_and_cut_as_records_are(tmp_path):
  wide = np.broadcast_to(np.linspace(0, 255, 280).astype(np.uint8), (28, 280))
  Image.fromarray(wide).save(tmp_path / 'wide.png')
  read, names = read_folder(tmp_path, (28, 28, 1))
  assert names == ['wide.png']
  np.testing.assert_array_equal(read[0, ..., 0], wide[:, 126:154])  # the middle, not 280 columns in 28


@pytest.mark.parametrize('suffix, form', [
  ('.gif', 'gif'), ('.jfif', 'jpeg'), ('.avif', 'avif'), ('.tiff', 'tiff'), ('.tif', 'tiff'), ('.webp', 'webp'), ('.bmp', 'bmp'),
  ('.PNG', 'png'), ('.jpe', 'jpeg'),
])  # fmt: skip
def test_all_formats_of_pillow_are_read(tmp_path, suffix, form):
  if form == 'avif':
    from PIL import features

    if not features.check('avif'):
      pytest.skip('this Pillow has no AVIF')
  (tmp_path / f'a{suffix}').write_bytes(encoded(Image.new('RGB', (8, 8), (200, 200, 200)), form))
  read, names = read_folder(tmp_path, (8, 8, 3))
  assert names == [f'a{suffix}']
  np.testing.assert_allclose(read, 200, atol=3)


def test_what_is_skipped_is_named_and_rows_carry_names(tmp_path, caplog):
  (tmp_path / 'b').mkdir()
  for name in ('b/1.png', 'a.png', 'c.gif'):
    Image.new('L', (4, 4), 9).save(tmp_path / name)
  for name in ('labels.csv', 'b/notes.txt', '.a.png'):
    (tmp_path / name).write_text('no picture')
  with caplog.at_level(logging.WARNING, 'jssl'):
    read, names = read_folder(tmp_path, (4, 4, 1))
  assert names == ['a.png', 'b/1.png', 'c.gif'] and len(read) == 3
  assert '3 of 6 files' in caplog.text and all(name in caplog.text for name in ('labels.csv', 'b/notes.txt', '.a.png'))


def test_a_file_that_cannot_be_read_is_named(tmp_path):
  for name, data in (('cut.jpg', encoded(Image.effect_noise((64, 64), 90), 'jpeg')[:900]), ('text.png', b'no picture')):
    folder = tmp_path / name.split('.')[0]
    folder.mkdir()
    Image.new('L', (4, 4)).save(folder / 'good.png')
    (folder / name).write_bytes(data)
    with pytest.raises(ValueError, match=f'{name} cannot be read as a picture .* remove it from the folder') as refused:
      read_folder(folder, (4, 4, 1))
    assert '\n' not in str(refused.value)
  (tmp_path / 'none').mkdir()
  with pytest.raises(ValueError, match='contains no images among its 0 files'):
    read_folder(tmp_path / 'none', (4, 4, 1))


class Spec:
  shape, dtype = (28, 28, 1), np.dtype(np.uint8)


@pytest.mark.parametrize('shape, todo', [
  ((5, 1, 28, 28), r'transpose\(0, 2, 3, 1\)'), ((5, 28, 28), r'x\[\.\.\., None\]'), ((28, 28, 1), r'x\[None\]'),
  ((5, 32, 32, 1), 'scale and cut them to 28 x 28'), ((5, 28, 28, 3), 'with 1 channels'),
])  # fmt: skip
def test_pictures_of_another_shape_are_refused_with_the_remedy(shape, todo):
  with pytest.raises(ValueError, match=rf"'image' has shape .*; expected pictures \[n, 28, 28, 1\].*{todo}"):
    like('image', np.zeros(shape, np.uint8), Spec)


def test_pictures_of_another_type_become_bytes_or_are_refused():
  whole = np.arange(256, dtype=np.uint8).repeat(49).reshape(16, 28, 28, 1)
  for same in (whole, whole.astype(np.uint16) * 257, whole.astype(np.float32) / 255, whole / 255.0, whole.astype(np.int64)):
    np.testing.assert_array_equal(like('image', same, Spec), whole)
  for wrong in (whole.astype(np.float32), whole / 127.5 - 1, np.nan * whole):
    with pytest.raises(ValueError, match=r'floats from .* expected floats in \[0, 1\].*divide by 255'):
      like('image', wrong, Spec)
  for wrong in (whole.astype(np.int32) * 100, whole.astype(np.int32) - 1, whole > 3):
    with pytest.raises(ValueError, match='expected pictures of uint8'):
      like('image', wrong, Spec)


def test_floats_to_train_on_are_checked_at_once():
  x = np.random.default_rng(0).random((6, 4, 4, 3)).astype(np.float32)
  assert arrays(image=x).spec['image'].dtype == np.float32
  assert arrays(image=np.zeros((6, 4, 4, 3), np.uint16)).spec['image'].dtype == np.uint8
  assert arrays(field=255 * x).spec['field'].dtype == np.float32  # no picture
  for wrong in (255 * x, x - 0.5):
    with pytest.raises(ValueError, match='divide by 255'):
      arrays(image=wrong)
    with pytest.raises(ValueError, match='divide by 255'):
      GrainSource([dict(image=row) for row in wrong], 2)
    with pytest.raises(ValueError, match='divide by 255'):
      GrainSource([dict(image=row) for row in wrong], 2, memory=0)
