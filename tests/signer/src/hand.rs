//! From joint angles to joints: the hand's 21 landmarks in the picture.

use crate::pose::{Build, Pose};
use crate::space::{Rotation, Vec3, vec3};

/// Width and height of the picture in pixels.
pub const PICTURE: (usize, usize) = (640, 480);

/// Distance of the camera in palm lengths: about 0.8 m for a grown-up's hand.
const CAMERA: f32 = 9.0;

/// The point of the hand's frame that stays in place when the hand turns: the
/// middle of the palm.
const ANCHOR: Vec3 = vec3(0.0, 0.55, 0.0);

/// MediaPipe's z of the photographs is that of the fitted joints divided by this.
const DEPTH_OF_LANDMARKS: f32 = 1.2;

/// Which hand signs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Side {
    /// The right hand.
    #[default]
    Right,
    /// The left hand: the mirror image.
    Left,
}

/// Where and how a hand is seen.
#[derive(Clone, Copy, Debug)]
pub struct View {
    /// Pixel of the palm's middle, y downwards.
    pub place: (f32, f32),
    /// Palm length in pixels.
    pub palm: f32,
    /// Rotation after the pose's own: the signer's stance, a stroke, a tremor.
    pub turn: Rotation,
    /// Which hand it is.
    pub side: Side,
}

/// Joints of a posed hand in the hand's frame, turned as the pose says.
#[derive(Clone, Debug)]
pub struct Skeleton {
    /// MediaPipe's 21 landmarks: wrist, then thumb to little finger from base to tip.
    pub joints: [Vec3; 21],
    /// For each landmark but the wrist: the side of the bone that ends there (or,
    /// at a finger's base, of the palm) which faces the palm's inside.
    pub inside: [Vec3; 21],
    /// Axes of the hand's frame after turning.
    pub axes: Rotation,
}

impl Skeleton {
    /// Poses a hand.
    #[must_use]
    pub fn new(build: &Build, pose: &Pose, turn: &Rotation) -> Self {
        let axes = Rotation::about(pose.turn).then(turn);
        let mut joints = [Vec3::default(); 21];
        let mut inside = [vec3(0.0, 0.0, 1.0); 21];
        thumb(build, pose, &mut joints, &mut inside);
        for (finger, angles) in pose.fingers.iter().enumerate() {
            let first = 5 + 4 * finger;
            let spread = angles[0].to_radians();
            let along = vec3(spread.sin(), spread.cos(), 0.0);
            let palmar = vec3(0.0, 0.0, 1.0);
            let mut flexion = 0.0f32;
            joints[first] = build.bases[finger];
            for bone in 0..3 {
                flexion += angles[1 + bone].to_radians();
                let (sin, cos) = flexion.sin_cos();
                let at = first + bone;
                joints[at + 1] =
                    joints[at] + (along * cos + palmar * sin) * build.bones[finger][bone];
                inside[at + 1] = palmar * cos - along * sin;
            }
        }
        Self { joints: joints.map(|p| axes.apply(p)), inside: inside.map(|p| axes.apply(p)), axes }
    }
}

fn thumb(build: &Build, pose: &Pose, joints: &mut [Vec3; 21], inside: &mut [Vec3; 21]) {
    let [side, out, twist, base, end] = pose.thumb.map(f32::to_radians);
    let along = vec3(side.sin() * out.cos(), side.cos() * out.cos(), out.sin());
    let inward = vec3(-1.0, 0.0, 0.0).across(along).unit();
    let bend = inward * twist.cos() + along.cross(inward) * twist.sin();
    let mut flexion = 0.0;
    joints[1] = build.thumb_base;
    inside[1] = bend;
    for (bone, angle) in [0.0, base, end].into_iter().enumerate() {
        flexion += angle;
        let (sin, cos) = f32::sin_cos(flexion);
        joints[bone + 2] = joints[bone + 1] + (along * cos + bend * sin) * build.thumb_bones[bone];
        inside[bone + 2] = bend * cos - along * sin;
    }
}

impl View {
    /// From the turned hand's frame to the picture: pixels, y downwards, z
    /// towards the camera; and the scale there, in pixels a palm length.
    #[must_use]
    pub fn project(&self, axes: &Rotation, p: Vec3) -> (Vec3, f32) {
        let p = p - axes.apply(ANCHOR);
        let scale = self.palm / (1.0 - p.z / CAMERA).max(0.3);
        let x = self.place.0 + p.x * scale;
        let x = match self.side {
            Side::Right => x,
            Side::Left => PICTURE.0 as f32 - x,
        };
        (vec3(x, self.place.1 - p.y * scale, p.z * self.palm), scale)
    }

    /// A direction of the turned hand's frame in the picture.
    #[must_use]
    pub fn direction(&self, d: Vec3) -> Vec3 {
        match self.side {
            Side::Right => vec3(d.x, -d.y, d.z),
            Side::Left => vec3(-d.x, -d.y, d.z),
        }
    }
}

/// The 21 landmarks as MediaPipe gives them: x and y in fractions of the
/// picture's width and height, z in fractions of its width, 0 at the wrist and
/// negative towards the camera.
#[must_use]
pub fn landmarks(build: &Build, pose: &Pose, view: &View) -> [[f32; 3]; 21] {
    let skeleton = Skeleton::new(build, pose, &view.turn);
    let wrist = view.project(&skeleton.axes, skeleton.joints[0]).0.z;
    let (w, h) = (PICTURE.0 as f32, PICTURE.1 as f32);
    skeleton.joints.map(|joint| {
        let p = view.project(&skeleton.axes, joint).0;
        [p.x / w, p.y / h, (wrist - p.z) / DEPTH_OF_LANDMARKS / w]
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::letters;

    fn view(side: Side) -> View {
        View { place: (320.0, 240.0), palm: 110.0, turn: Rotation::about(Vec3::default()), side }
    }

    #[test]
    fn the_open_hand_points_up_with_its_thumb_to_the_right_of_the_picture() {
        let l = landmarks(&Build::average(), &letters::pose('B'), &view(Side::Right));
        assert!(l[12][1] < l[9][1] && l[9][1] < l[0][1]);
        assert!(l[2][0] > l[0][0] && l[5][0] > l[17][0]);
    }

    #[test]
    fn the_left_hand_is_the_right_ones_mirror_image() {
        for letter in letters::LETTERS.chars() {
            let pose = letters::pose(letter);
            let right = landmarks(&Build::average(), &pose, &view(Side::Right));
            let left = landmarks(&Build::average(), &pose, &view(Side::Left));
            for (r, l) in right.iter().zip(&left) {
                assert!((r[0] + l[0] - 1.0).abs() < 1e-5);
                assert_eq!((r[1], r[2]), (l[1], l[2]));
            }
        }
    }

    #[test]
    fn bones_keep_their_lengths_in_every_pose() {
        let build = Build::average();
        for letter in letters::LETTERS.chars() {
            let s = Skeleton::new(&build, &letters::pose(letter), &view(Side::Right).turn);
            for finger in 0..4 {
                for bone in 0..3 {
                    let at = 5 + 4 * finger + bone;
                    let len = (s.joints[at + 1] - s.joints[at]).len();
                    assert!((len - build.bones[finger][bone]).abs() < 1e-5);
                }
            }
        }
    }
}
