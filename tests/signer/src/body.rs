//! The flesh: rounded cones around the joints.

use crate::hand::{Skeleton, View};
use crate::pose::Build;
use crate::space::{Vec3, vec3};

/// What a cone belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Palm, wrist and forearm: they flow into one another.
    Palm,
    /// The first bone of finger 0 (thumb) to 4: flows into the palm.
    Root(u8),
    /// A later bone: flows into its own finger only.
    Bone(u8),
    /// The last bone, with the nail.
    Tip(u8),
    /// Cloth around the forearm.
    Sleeve,
}

/// A rounded cone in the picture: pixels, y downwards, z towards the camera.
#[derive(Clone, Copy, Debug)]
pub struct Cone {
    /// Centre of the first ball.
    pub a: Vec3,
    /// Centre of the second ball.
    pub b: Vec3,
    /// Radius of the first ball.
    pub ra: f32,
    /// Radius of the second ball.
    pub rb: f32,
    /// What it belongs to.
    pub part: Part,
    /// The side that faces the palm's inside.
    pub inside: Vec3,
}

/// A hand ready to be drawn.
#[derive(Clone, Debug)]
pub struct Body {
    /// Ordered by part: palm, then finger after finger, then the sleeve.
    pub cones: Vec<Cone>,
    /// Palm length in pixels.
    pub palm: f32,
    /// Origin and axes of the hand's frame in the picture, a palm length long.
    pub frame: [Vec3; 4],
}

/// Radii of a finger's joints from base to tip, in palm lengths.
const FINGER: [f32; 4] = [0.130, 0.115, 0.101, 0.081];
/// How thick each finger is beside the index finger.
const FINGERS: [f32; 4] = [1.0, 1.02, 0.96, 0.84];
/// Radii of the thumb from its first joint to its tip.
const THUMB: [f32; 4] = [0.172, 0.138, 0.122, 0.090];
/// How far the forearm hangs down rather than continues the hand.
const HANG: f32 = 0.85;

struct Builder<'a> {
    skeleton: &'a Skeleton,
    view: &'a View,
    girth: f32,
    cones: Vec<Cone>,
}

impl Body {
    /// Puts flesh on a skeleton.
    #[must_use]
    pub fn new(build: &Build, skeleton: &Skeleton, view: &View) -> Self {
        let mut b = Builder { skeleton, view, girth: build.girth, cones: Vec::with_capacity(32) };
        b.palm();
        let sleeve = b.arm();
        b.thumb();
        for finger in 0..4 {
            b.finger(finger);
        }
        b.cones.extend(sleeve);
        let at = |p| view.project(&skeleton.axes, skeleton.axes.apply(p)).0;
        let origin = at(Vec3::default());
        let axis = |p| view.direction(skeleton.axes.apply(p)) * view.palm;
        Self {
            palm: view.palm,
            frame: [
                origin,
                axis(vec3(1.0, 0.0, 0.0)),
                axis(vec3(0.0, 1.0, 0.0)),
                axis(vec3(0.0, 0.0, 1.0)),
            ],
            cones: b.cones,
        }
    }
}

impl Builder<'_> {
    /// A cone between two points of the turned frame, radii in palm lengths.
    fn cone(&self, part: Part, a: (Vec3, f32), b: (Vec3, f32), inside: Vec3) -> Cone {
        let axes = &self.skeleton.axes;
        let (pa, sa) = self.view.project(axes, a.0);
        let (pb, sb) = self.view.project(axes, b.0);
        Cone {
            a: pa,
            b: pb,
            ra: a.1 * sa * self.girth,
            rb: b.1 * sb * self.girth,
            part,
            inside: self.view.direction(inside),
        }
    }

    fn turned(&self, x: f32, y: f32, z: f32) -> Vec3 {
        self.skeleton.axes.apply(vec3(x, y, z))
    }

    fn palm(&mut self) {
        let inside = self.turned(0.0, 0.0, 1.0);
        let joints = &self.skeleton.joints;
        for finger in 0..4 {
            let carpal = self.turned(0.13 - 0.09 * finger as f32, 0.10, 0.01);
            let base = joints[5 + 4 * finger];
            let r = 0.128 * (0.6 + 0.4 * FINGERS[finger]);
            let cone = self.cone(Part::Palm, (carpal, 0.150), (base, r), inside);
            self.cones.push(cone);
        }
        let heel = self.turned(-0.18, 0.12, 0.05);
        let edge = joints[17].lerp(joints[0], 0.22) + self.turned(-0.01, 0.0, 0.03);
        let ball = self.turned(0.14, 0.22, 0.10);
        let muscle = joints[1].lerp(joints[2], 0.55);
        let web = joints[1].lerp(joints[2], 0.75);
        let metacarpal = joints[5].lerp(joints[0], 0.28) + self.turned(0.0, 0.0, 0.01);
        let cones = [
            self.cone(Part::Palm, (heel, 0.150), (edge, 0.125), inside),
            self.cone(Part::Palm, (ball, 0.165), (muscle, 0.150), inside),
            self.cone(Part::Palm, (web, 0.095), (metacarpal, 0.085), inside),
        ];
        self.cones.extend(cones);
    }

    /// The forearm; gives back its sleeve.
    fn arm(&mut self) -> Vec<Cone> {
        let on = self.turned(0.0, -1.0, 0.0);
        let along = (on + vec3(0.0, -HANG, -0.10)).unit();
        let across = self.turned(1.0, 0.0, 0.0).across(along).unit();
        let inside = self.turned(0.0, 0.0, 1.0);
        let wrist = self.skeleton.joints[0] + self.turned(0.0, 0.10, 0.0);
        let mut sleeve = Vec::new();
        for side in [-1.0, 1.0] {
            let from = wrist + across * (0.105 * side);
            let to = wrist + along * 1.3 + across * (0.15 * side);
            let arm = self.cone(Part::Palm, (from, 0.158), (to, 0.20), inside);
            self.cones.push(arm);
            let cuff = wrist + along * 1.0 + across * (0.14 * side);
            let elbow = wrist + along * 4.6 + across * (0.24 * side);
            sleeve.push(self.cone(Part::Sleeve, (cuff, 0.25), (elbow, 0.38), inside));
        }
        sleeve
    }

    fn thumb(&mut self) {
        let (joints, inside) = (&self.skeleton.joints, &self.skeleton.inside);
        let parts = [Part::Root(0), Part::Bone(0), Part::Tip(0)];
        let cones = [0, 1, 2].map(|i| {
            let from = (joints[1 + i], THUMB[i]);
            let to = (joints[2 + i], THUMB[i + 1]);
            self.cone(parts[i], from, to, inside[2 + i])
        });
        self.cones.extend(cones);
    }

    fn finger(&mut self, finger: usize) {
        let first = 5 + 4 * finger;
        let name = finger as u8 + 1;
        let (joints, inside) = (&self.skeleton.joints, &self.skeleton.inside);
        let parts = [Part::Root(name), Part::Bone(name), Part::Tip(name)];
        let cones = [0, 1, 2].map(|i| {
            let from = (joints[first + i], FINGER[i] * FINGERS[finger]);
            let to = (joints[first + i + 1], FINGER[i + 1] * FINGERS[finger]);
            self.cone(parts[i], from, to, inside[first + i + 1])
        });
        self.cones.extend(cones);
    }
}
