"""A moving portrait: lips, jaw, eyelids and head warped by a pose.

Belongs here: geometry and pixels of one face. Does not belong here: time (acting.py), layout (compose.py).

Every local warp is one-dimensional. At each position `u` along the axis of the mouth or eye (in half widths), the
perpendicular `v` is mapped piecewise linearly between moving curves (lips, chin, lid). The inverse needs no search.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from speakervid_dag.demo.acting import Pose
from speakervid_dag.demo.materials import Bgr, Point, Portrait

WIDEST_GAP = 0.62  # inner lips at opening 1, half mouth widths
UPPER_SHARE, JAW_SHARE = 0.2, 0.65  # of the gap: upper lip's rise, chin's fall
CLOSED_AT = 0.4  # position of the closed line between the inner lips of an open portrait
SPREAD = 0.11  # change of the mouth's width at spread ±1
SHUT = 0.005  # opening and spread below this move no pixel
COARSE = 4  # head motion is smooth, so it is computed on every 4th pixel

Field = NDArray[np.float32]


@dataclass(frozen=True)
class _Axes:
    """A rectangle of the texture with its local coordinates: u in half widths, v in px perpendicular to it."""

    x: int
    y: int
    u: Field
    v: Field
    across: NDArray[np.float64]  # px vector of one unit of u
    down: NDArray[np.float64]  # unit vector of v
    half_px: float

    def local(
        self, points: NDArray[np.float64], origin: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        away = points - origin
        return away @ self.across / self.half_px**2, away @ self.down


class Puppet:
    """One portrait at one size. `draw` is pure: the same pose gives the same picture."""

    def __init__(self, picture: Bgr, portrait: Portrait, size: tuple[int, int]) -> None:
        width, height = size
        scale = height / portrait.crop[2]
        self.size = size
        self._scale = scale
        self._origin = np.array([portrait.crop[0] - width / 2 / scale, portrait.crop[1] - height / 2 / scale])
        matrix = np.array([[scale, 0, -self._origin[0] * scale], [0, scale, -self._origin[1] * scale]])
        big = cv2.warpAffine(picture, matrix, size, flags=cv2.INTER_LANCZOS4, borderMode=cv2.BORDER_REPLICATE)
        amount = min(0.5, max(0.0, 0.4 * (scale - 1)))  # enlarged pictures are soft
        soft = cv2.GaussianBlur(big, (0, 0), 2.0)
        self._texture: Bgr = np.asarray(cv2.addWeighted(big, 1 + amount, soft, -amount, 0), np.uint8)
        self._mouth = _Mouth(self._texture, self._points(portrait.upper), self._points(portrait.lower),
                             self._at(portrait.nose), self._at(portrait.chin), portrait.shows_teeth)  # fmt: skip
        self._eyes = [
            _Lid(self._texture, self._points((e.left, e.right, e.upper, e.lower)), e.lid_px * scale)
            for e in portrait.eyes
        ]
        self._head = _Head(size, self._at(portrait.forehead), self._at(portrait.chin))
        self._silent = self._texture.copy()  # faces are mostly silent: that mouth is drawn only once
        self._mouth.draw(self._silent, 0.0, 0.0)

    def _at(self, point: Point) -> NDArray[np.float64]:
        return np.asarray((np.array(point) - self._origin) * self._scale, np.float64)

    def _points(self, points: tuple[Point, ...]) -> NDArray[np.float64]:
        return np.asarray((np.array(points) - self._origin) * self._scale, np.float64)

    def face_box(self) -> tuple[float, float, float, float]:
        """Return x1, y1, x2, y2, 0-1 of the picture: an envelope of the face in every pose."""
        return self._head.box

    def draw(self, pose: Pose) -> Bgr:
        """Return the face in this pose, uint8 (height, width, 3) BGR."""
        is_silent = pose.opening < SHUT and abs(pose.spread) < SHUT
        image = (self._silent if is_silent else self._texture).copy()
        for lid in self._eyes:
            lid.draw(image, pose.blink)
        if not is_silent:
            self._mouth.draw(image, pose.opening, pose.spread)
        return self._head.move(image, pose)


def _axes(
    shape: tuple[int, ...], left: NDArray[np.float64], right: NDArray[np.float64], reach: tuple[float, float, float]
) -> _Axes:
    """Return local coordinates around the line left-right; reach: sideways, up and down from its middle, px."""
    middle, across = (left + right) / 2, (right - left) / 2
    half = float(np.hypot(*across))
    down = np.array([-across[1], across[0]]) / half
    x1, x2 = max(0, int(middle[0] - reach[0])), min(shape[1], int(middle[0] + reach[0]))
    y1, y2 = max(0, int(middle[1] - reach[1])), min(shape[0], int(middle[1] + reach[2]))
    xs, ys = np.meshgrid(np.arange(x1, x2) - middle[0], np.arange(y1, y2) - middle[1])
    u = (xs * across[0] + ys * across[1]) / half**2
    v = xs * down[0] + ys * down[1]
    return _Axes(x1, y1, u.astype(np.float32), v.astype(np.float32), across, down, half)


def _fade(u: Field, inner: float, outer: float) -> Field:
    """Return 1 up to |u| = inner, 0 from outer on, and a smooth transition between."""
    t = np.clip((np.abs(u) - inner) / (outer - inner), 0, 1)
    return np.asarray(1 - t * t * (3 - 2 * t), np.float32)


def _sample(image: Bgr, axes: _Axes, u: Field, v: Field) -> Bgr:
    """Return the image sampled at local coordinates (u, v)."""
    shift_u, shift_v = u - axes.u, v - axes.v
    h, w = axes.u.shape
    grid_x, grid_y = np.meshgrid(np.arange(w, dtype=np.float32) + axes.x, np.arange(h, dtype=np.float32) + axes.y)
    map_x = grid_x + shift_u * np.float32(axes.across[0]) + shift_v * np.float32(axes.down[0])
    map_y = grid_y + shift_u * np.float32(axes.across[1]) + shift_v * np.float32(axes.down[1])
    return np.asarray(cv2.remap(image, map_x, map_y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE), np.uint8)


class _Mouth:
    def __init__(self, texture: Bgr, upper: NDArray[np.float64], lower: NDArray[np.float64],
                 nose: NDArray[np.float64], chin: NDArray[np.float64], shows_teeth: bool) -> None:  # fmt: skip
        middle, half = (upper[0] + upper[-1]) / 2, float(np.hypot(*(upper[-1] - upper[0]))) / 2
        drop = float(np.hypot(*(chin - middle)))
        self._axes = _axes(texture.shape, upper[0], upper[-1], (2.4 * half, 1.4 * half, 1.7 * drop))
        a = self._axes
        self._upper = np.interp(a.u, *a.local(upper, middle)).astype(np.float32)
        self._lower = np.interp(a.u, *a.local(lower, middle)).astype(np.float32)
        self._nose = float(a.local(nose, middle)[1]) * 0.9
        self._chin, self._neck = drop, 1.6 * drop
        self._teeth_in_picture = shows_teeth
        skin = texture[int(chin[1] - 0.25 * drop), int(chin[0] - 0.3 * half) : int(chin[0] + 0.3 * half)].mean(0)
        grey = float(skin.mean())
        self._dark = 0.10 * skin + 0.02 * grey
        self._tongue = 0.48 * skin * np.array([0.85, 0.8, 1.15])
        self._teeth = 0.5 * skin + 0.5 * grey

    def draw(self, image: Bgr, opening: float, spread: float) -> None:
        """Warp and paint `image` in place."""
        a = self._axes
        near = _fade(a.u, 0.9, 2.2) * np.exp(-((a.v / (1.6 * a.half_px)) ** 2))
        u = a.u * (1 - np.float32(SPREAD * spread) * near)
        gap = np.float32(WIDEST_GAP * a.half_px * opening)
        arch = np.sqrt(np.clip(1 - u * u, 0, 1)) ** np.float32(1.3)
        closed = self._upper + CLOSED_AT * (self._lower - self._upper)
        top, bottom = closed - UPPER_SHARE * gap * arch, closed + (1 - UPPER_SHARE) * gap * arch
        v = self._skin(top, bottom, JAW_SHARE * gap * _fade(a.u, 0.6, 2.3))
        if self._teeth_in_picture:  # the picture's own teeth follow the upper lip
            v = np.where(
                (a.v > top) & (a.v < bottom), self._upper + np.minimum(a.v - top, 0.9 * (self._lower - self._upper)), v
            )
        warped = _sample(image, a, u, v.astype(np.float32)).astype(np.float32)
        self._paint(warped, u, top, bottom, float(gap))
        h, w = a.u.shape
        image[a.y : a.y + h, a.x : a.x + w] = np.clip(warped, 0, 255).astype(np.uint8)

    def _skin(self, top: Field, bottom: Field, jaw: Field) -> Field:
        """Return the inverse map of v: the parts between nose, lips, chin and neck are each stretched evenly."""
        v = self._axes.v
        above = self._nose + (v - self._nose) * (self._upper - self._nose) / (top - self._nose)
        below = self._lower + (v - bottom) * (self._chin - self._lower) / (self._chin + jaw - bottom)
        neck = self._chin + (v - self._chin - jaw) * (self._neck - self._chin) / (self._neck - self._chin - jaw)
        parts = [v < self._nose, v <= top, v < bottom, v < self._chin + jaw, v < self._neck]
        moved = np.select(parts, [v, above, self._upper, below, neck], v)
        return np.asarray(v + (moved - v) * _fade(self._axes.u, 1.05, 2.3), np.float32)

    def _paint(self, warped: Field, u: Field, top: Field, bottom: Field, gap: float) -> None:
        """Paint the inside of the mouth: dark, upper teeth as a pale band, a hint of tongue."""
        v, half = self._axes.v, self._axes.half_px
        soft = max(1.0, 0.03 * half)
        mask = np.clip((v - top) / soft, 0, 1) * np.clip((bottom - v) / soft, 0, 1)
        if self._teeth_in_picture:
            hanging = 0.9 * (self._lower - self._upper)
            mask *= np.clip((v - top - hanging) / (2 * soft) + 1, 0, 1)
        side = np.clip(1 - u * u, 0, 1)
        colour = np.broadcast_to(self._dark, warped.shape).astype(np.float32)
        depth = np.clip((v - bottom + 0.35 * gap) / (0.25 * half), 0, 1) * side
        colour = colour + depth[..., None] * (self._tongue - self._dark).astype(np.float32)
        if not self._teeth_in_picture:
            band = min(0.2 * half, 0.5 * gap)
            teeth = np.clip((top + band * np.sqrt(side) - v) / soft, 0, 1) * side
            colour = colour + teeth[..., None] * (self._teeth.astype(np.float32) - colour)
        shade = np.clip((v - top) / (0.12 * half + 1), 0.6, 1)  # the lip's shadow
        warped += mask[..., None].astype(np.float32) * (colour * shade[..., None] - warped)


class _Lid:
    def __init__(self, texture: Bgr, points: NDArray[np.float64], lid_px: float) -> None:
        """Take points (4, 2), px: left and right corner, upper and lower lid."""
        left, right, upper, lower = points
        half = float(np.hypot(*(right - left))) / 2
        self._axes = _axes(texture.shape, left, right, (1.5 * half, half + 1.5 * lid_px, half))
        a = self._axes
        middle = (left + right) / 2
        arch = np.clip(1 - a.u * a.u, 0, 1)
        self._upper = (arch * float(a.local(upper, middle)[1])).astype(np.float32)
        self._lower = (arch * float(a.local(lower, middle)[1])).astype(np.float32)
        self._fold = self._upper - np.float32(lid_px)

    def draw(self, image: Bgr, blink: float) -> None:
        """Pull the upper lid over the eye, in place."""
        if blink < 0.05:
            return
        a = self._axes
        edge = self._upper + np.float32(blink) * (self._lower - self._upper)
        lid = self._fold + (a.v - self._fold) * (self._upper - 1 - self._fold) / (edge - self._fold)
        v = np.where((a.v > self._fold) & (a.v <= edge), lid, a.v)
        v = a.v + (v - a.v) * _fade(a.u, 0.95, 1.3)
        warped = _sample(image, a, a.u, v.astype(np.float32)).astype(np.float32)
        lash = np.exp(-(((a.v - edge) / (0.06 * a.half_px)) ** 2)) * _fade(a.u, 0.8, 1.0) * np.float32(0.5 * blink)
        warped *= (1 - lash)[..., None]
        h, w = a.u.shape
        image[a.y : a.y + h, a.x : a.x + w] = np.clip(warped, 0, 255).astype(np.uint8)


class _Head:
    """Moves the head in front of a fixed background: the motion's weight falls to 0 around the head."""

    def __init__(self, size: tuple[int, int], forehead: NDArray[np.float64], chin: NDArray[np.float64]) -> None:
        self._size = size
        middle, tall = (forehead + chin) / 2, float(np.hypot(*(chin - forehead)))
        self._tall = tall
        coarse = (-(-size[0] // COARSE), -(-size[1] // COARSE))
        xs, ys = np.meshgrid(*((np.arange(n, dtype=np.float32) + 0.5) * COARSE - 0.5 for n in coarse))
        self._x, self._y = xs, ys
        away = np.hypot((xs - middle[0]) / (0.78 * tall), (ys - middle[1] + 0.1 * tall) / (0.95 * tall))
        self._weight = _fade(away.astype(np.float32), 0.75, 1.9)
        self._middle = np.exp(-(((xs - middle[0]) / (0.3 * tall)) ** 2 + ((ys - middle[1]) / (0.45 * tall)) ** 2))
        self._pivot = chin + np.array([0.0, 0.25 * tall])
        reach = np.array([0.47, 0.58]) * tall
        low, high = (middle - reach) / size, (middle + reach) / size
        self.box = (
            max(0.0, float(low[0])),
            max(0.0, float(low[1])),
            min(1.0, float(high[0])),
            min(1.0, float(high[1])),
        )

    def move(self, image: Bgr, pose: Pose) -> Bgr:
        roll = np.float32(np.deg2rad(pose.roll_deg))
        out_x, out_y = self._x - np.float32(self._pivot[0]), self._y - np.float32(self._pivot[1])
        dx = pose.shift_x * self._tall - roll * out_y + pose.zoom * out_x
        dy = pose.shift_y * self._tall + roll * out_x + pose.zoom * out_y
        map_x = self._x - self._weight * dx - self._middle * np.float32(pose.turn * self._tall)
        map_y = self._y - self._weight * dy
        fine = [cv2.resize(m.astype(np.float32), (m.shape[1] * COARSE, m.shape[0] * COARSE)) for m in (map_x, map_y)]
        width, height = self._size
        moved = cv2.remap(image, fine[0][:height, :width], fine[1][:height, :width], cv2.INTER_CUBIC,
                          borderMode=cv2.BORDER_REFLECT_101)  # fmt: skip
        return np.asarray(moved, np.uint8)
