#![allow(missing_docs, clippy::unwrap_used)]
use signpost::cascade::*; use signpost::model::{HandModels,hands::*}; use signpost::runtime::*;
use rustix::time::{ClockId, clock_gettime};
fn cpu()->f64{let t=clock_gettime(ClockId::ThreadCPUTime); t.tv_sec as f64+t.tv_nsec as f64*1e-9}
fn main(){
 let mk=|hand:bool|{ let palm=Scripted::new("p",vec![TensorSpec::f32("x",&[1,PALM_SIDE,PALM_SIDE,3])],vec![TensorSpec::f32("b",&[1,PALM_BOXES,18]),TensorSpec::f32("l",&[1,PALM_BOXES,1])],move |_,o|{o[1].fill(-50.0); if hand{ let v=&mut o[0][..18]; v[..4].copy_from_slice(&[90.0,90.0,40.0,40.0]); for (k,p) in v[4..].chunks_exact_mut(2).enumerate(){ p.copy_from_slice(&[90.0+k as f32*2.0, if k==0{110.0}else{80.0}]);} o[1][0]=3.0;} Ok(())});
  let lm=Scripted::new("h",vec![TensorSpec::f32("x",&[1,HAND_SIDE,HAND_SIDE,3])],vec![TensorSpec::f32("a",&[1,63]),TensorSpec::f32("b",&[1,1]),TensorSpec::f32("c",&[1,1]),TensorSpec::f32("d",&[1,63])],move |_,o|{o[1][0]=0.9; for (i,p) in o[0].chunks_exact_mut(3).enumerate(){let (f,j)=(i.saturating_sub(1)/4,i.saturating_sub(1)%4); let q=if i==0{[112.0,179.2]}else{[70.0+21.0*f as f32+0.3*j as f32,123.2-28.0*j as f32]}; p.copy_from_slice(&[q[0],q[1],0.0]);} Ok(())});
  Cascade::new(HandModels{palm:Box::new(palm),landmark:Box::new(lm)},1)};
 let y:Vec<u8>=(0..640*480).map(|i|(i*7%256) as u8).collect(); let c=vec![120u8;320*240]; let rgb:Vec<u8>=(0..640*480*3).map(|i|(i*7%256) as u8).collect();
 let col=Colour{matrix:Matrix::Bt601,range:Range::Limited,siting:Siting::Left};
 let i420=Frame::i420(640,480,[Plane{data:&y,stride:640},Plane{data:&c,stride:320},Plane{data:&c,stride:320}],col).unwrap();
 let r=Frame::rgb(640,480,Plane{data:&rgb,stride:1920}).unwrap();
 for (n,f) in [("i420",&i420),("rgb",&r)] { for hand in [false,true] { let mut m=mk(hand); for _ in 0..20{m.detect(f).unwrap();} let mut best=1e9f64; for _ in 0..5{ let t=cpu(); for _ in 0..100 {m.detect(f).unwrap();} best=best.min((cpu()-t)*10.0);} println!("{n} hand={hand} {best:.3} ms"); } }
}
