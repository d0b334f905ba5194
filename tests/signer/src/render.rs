//! Draws frames: marches rays into the field, tile by tile, then lights what they hit.

use crate::backdrop;
use crate::body::Body;
use crate::dice::speck;
use crate::field::Field;
use crate::hand::PICTURE;
use crate::skin::Look;
use crate::space::{Vec3, smooth, vec3};

/// Edge of a tile in pixels: small enough for short lists of cones.
const TILE: usize = 8;
/// A ray ends this near to the surface, in pixels.
const NEAR_ENOUGH: f32 = 0.2;
/// Steps after which a ray that grazes the surface is given up.
const STEPS: usize = 40;
/// How far surroundings darken a point, in palm lengths.
const OCCLUSION: [f32; 3] = [0.05, 0.12, 0.24];
/// Pictures are 8 bit; the table from linear light to sRGB is finer.
const TONES: usize = 4096;

/// What does not change within a clip.
#[derive(Debug)]
pub struct Stage {
    room: Vec<Vec3>,
    look: Look,
    tones: Vec<f32>,
    noise: f32,
}

/// Where the ray of a pixel ended.
#[derive(Clone, Copy)]
struct Hit {
    z: f32,
    cover: f32,
}

const MISS: Hit = Hit { z: f32::NEG_INFINITY, cover: 0.0 };

/// One frame in the making.
struct Canvas {
    hits: Vec<Hit>,
    light: Vec<Vec3>,
}

impl Stage {
    /// The stage of a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let tones = (0..=TONES)
            .map(|i| {
                let l = i as f32 / TONES as f32;
                if l <= 0.003_130_8 { l * 12.92 } else { 1.055 * l.powf(1.0 / 2.4) - 0.055 }
            })
            .map(|v| v * 255.0)
            .collect();
        Self { room: backdrop::room(seed), look: Look::new(seed), tones, noise: 2.0 }
    }

    /// Draws a frame: 8-bit RGB rows, [`PICTURE`] in size. `grain` seeds the
    /// sensor's noise.
    #[must_use]
    pub fn frame(&self, body: Option<&Body>, grain: u32) -> Vec<u8> {
        let Some(body) = body else {
            return self.develop(&self.room, grain);
        };
        let field = Field::new(body);
        let mut canvas =
            Canvas { hits: vec![MISS; PICTURE.0 * PICTURE.1], light: self.room.clone() };
        let tiles = canvas.march(&field);
        for tile in &tiles {
            self.light(body, &field, tile, &mut canvas);
        }
        canvas.soften(&tiles);
        self.develop(&canvas.light, grain)
    }

    /// Lights the pixels of a tile that hit something.
    fn light(&self, body: &Body, field: &Field, tile: &Tile, canvas: &mut Canvas) {
        let mut around = Vec::with_capacity(32);
        let reach = OCCLUSION[2] * body.palm + TILE as f32;
        field.near(tile.middle().0, tile.middle().1, reach, &mut around);
        for (x, y) in tile.pixels() {
            let at = y * PICTURE.0 + x;
            let hit = canvas.hits[at];
            if hit.cover <= 0.0 {
                continue;
            }
            let p = vec3(x as f32 + 0.5, y as f32 + 0.5, hit.z);
            let n = normal(field, &tile.cones, p);
            let open = openness(field, &around, p, n, body.palm);
            let lit = canvas.lit(p + n * 1.5, self.look.lamp, body.palm);
            let cone = field.nearest(p, &tile.cones);
            let colour = self.look.shade(body, cone, p, n, open, lit);
            canvas.light[at] = canvas.light[at].lerp(colour, hit.cover);
        }
    }

    /// From linear light to 8 bit, with a sensor's noise.
    fn develop(&self, light: &[Vec3], grain: u32) -> Vec<u8> {
        let mut rgb = Vec::with_capacity(light.len() * 3);
        let tone = |l: f32| {
            let at = (l * TONES as f32).clamp(0.0, TONES as f32);
            self.tones[at as usize]
        };
        for (i, colour) in light.iter().enumerate() {
            let noise = speck(i as i32, 0, grain) * self.noise + 0.5;
            rgb.extend([colour.x, colour.y, colour.z].map(|l| (tone(l) + noise) as u8));
        }
        rgb
    }
}

/// A square of the picture and the cones that a ray through it can meet.
struct Tile {
    x: usize,
    y: usize,
    cones: Vec<u8>,
}

impl Tile {
    fn middle(&self) -> (f32, f32) {
        let half = TILE as f32 / 2.0;
        (self.x as f32 + half, self.y as f32 + half)
    }

    fn pixels(&self) -> impl Iterator<Item = (usize, usize)> + use<> {
        let (x0, y0) = (self.x, self.y);
        (0..TILE * TILE).map(move |i| (x0 + i % TILE, y0 + i / TILE))
    }
}

impl Canvas {
    /// Finds what each pixel shows; gives the tiles that show anything.
    fn march(&mut self, field: &Field) -> Vec<Tile> {
        let mut tiles = Vec::new();
        let reach = TILE as f32 * 0.71 + 1.0 + field.softness();
        for y in (0..PICTURE.1).step_by(TILE) {
            for x in (0..PICTURE.0).step_by(TILE) {
                let mut tile = Tile { x, y, cones: Vec::new() };
                let (mx, my) = tile.middle();
                field.near(mx, my, reach, &mut tile.cones);
                if tile.cones.is_empty() {
                    continue;
                }
                let (start, end) = field.depth(&tile.cones);
                let Some(start) = approach(field, &tile, start, end) else {
                    continue;
                };
                for (x, y) in tile.pixels() {
                    let hit = ray(field, &tile.cones, (x, y), start, end);
                    self.hits[y * PICTURE.0 + x] = hit;
                }
                tiles.push(tile);
            }
        }
        tiles
    }

    /// The share of the lamp that reaches `p`, from what the camera sees.
    fn lit(&self, p: Vec3, lamp: Vec3, palm: f32) -> f32 {
        let mut lit = 1.0f32;
        let mut way = palm * 0.035;
        for _ in 0..11 {
            let q = p + lamp * way;
            if q.x < 0.0 || q.y < 0.0 {
                break;
            }
            let (x, y) = (q.x as usize, q.y as usize);
            if x >= PICTURE.0 || y >= PICTURE.1 {
                break;
            }
            let above = self.hits[y * PICTURE.0 + x].z - q.z;
            // What stands far in front of the ray may well be passed behind.
            if above > 0.0 && above < palm * 0.5 {
                lit = lit.min(1.0 - smooth(0.0, way * 0.25, above));
            }
            way *= 1.28;
        }
        lit
    }

    /// A lens is less sharp than a ray.
    fn soften(&mut self, tiles: &[Tile]) {
        let sharp = self.light.clone();
        let w = PICTURE.0;
        for (x, y) in tiles.iter().flat_map(Tile::pixels) {
            if x == 0 || y == 0 || x + 1 == w || y + 1 == PICTURE.1 {
                continue;
            }
            let at = y * w + x;
            let cross = sharp[at - 1] + sharp[at + 1] + sharp[at - w] + sharp[at + w];
            let corners =
                sharp[at - w - 1] + sharp[at - w + 1] + sharp[at + w - 1] + sharp[at + w + 1];
            self.light[at] = sharp[at] * 0.36 + cross * 0.12 + corners * 0.04;
        }
    }
}

/// How near to the surface all rays of a tile can start, or nothing if all miss.
fn approach(field: &Field, tile: &Tile, start: f32, end: f32) -> Option<f32> {
    let (x, y) = tile.middle();
    let (mut z, room) = (start + 1.0, TILE as f32 * 0.71 + 1.0);
    while z > end - room {
        let d = field.distance(vec3(x, y, z), &tile.cones) - room;
        if d < 0.5 {
            return Some(z);
        }
        z -= d;
    }
    None
}

fn ray(field: &Field, cones: &[u8], (x, y): (usize, usize), start: f32, end: f32) -> Hit {
    let (x, y, mut z) = (x as f32 + 0.5, y as f32 + 0.5, start);
    let (mut nearest, mut nearest_z) = (f32::MAX, z);
    for _ in 0..STEPS {
        let d = field.distance(vec3(x, y, z), cones);
        if d < nearest {
            (nearest, nearest_z) = (d, z);
        }
        if d < NEAR_ENOUGH {
            return Hit { z, cover: 1.0 };
        }
        z -= d;
        if z < end {
            break;
        }
    }
    // A ray that passes within a pixel shows part of the edge.
    let cover = (1.0 - nearest).clamp(0.0, 1.0);
    if cover > 0.0 { Hit { z: nearest_z, cover } } else { MISS }
}

/// The surface's normal, from four distances around the point.
fn normal(field: &Field, cones: &[u8], p: Vec3) -> Vec3 {
    const CORNERS: [Vec3; 4] =
        [vec3(1.0, -1.0, -1.0), vec3(-1.0, -1.0, 1.0), vec3(-1.0, 1.0, -1.0), vec3(1.0, 1.0, 1.0)];
    CORNERS
        .iter()
        .map(|c| *c * field.distance(p + *c * 0.6, cones))
        .fold(Vec3::default(), |sum, v| sum + v)
        .unit()
}

/// The share of its surroundings that a point sees.
fn openness(field: &Field, around: &[u8], p: Vec3, n: Vec3, palm: f32) -> f32 {
    let mut closed = 0.0;
    for (step, weight) in OCCLUSION.iter().zip([0.45, 0.35, 0.35]) {
        let way = step * palm;
        closed += weight * (1.0 - field.distance(p + n * way, around) / way).clamp(0.0, 1.0);
    }
    (1.0 - closed).clamp(0.05, 1.0)
}
