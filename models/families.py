"""Families of networks: what their outputs mean and how they want their pictures.

Each is what its exporter writes (docs/spec/model-package.md, "Families"); a family is
declared by a person, or by what a file says of itself, never by its shape alone where
another family has the same.
"""

from __future__ import annotations

from typing import Any, NamedTuple


class Family(NamedTuple):
    """`output` and `input` go into model.json; `words`: for people who choose."""

    task: str
    words: str
    output: dict[str, Any]
    input: dict[str, Any]
    threshold: float = 0.25


_YOLO = {"colour": "rgb", "normalise": "0-1", "resize": "letterbox", "interpolation": "bilinear"}
_STRETCHED = {"colour": "rgb", "normalise": "0-1", "resize": "stretch"}
_XYXY_ROWS = ["x0", "y0", "x1", "y1", "score", "class"]
_CROP = {"colour": "rgb", "resize": "shorter_side_crop"}


def _rows(columns: list[str], **more: Any) -> dict[str, Any]:
    return {"layout": "rows", "columns": columns, **more}


FAMILIES: dict[str, Family] = {
    "yolov8": Family(
        "detection", "Ultralytics v3u v5u v8 v9 11 12: (4+classes, N), boxes cx cy w h",
        {"layout": "yolov8", "iou": 0.7}, _YOLO,
    ),
    "yolov5": Family(
        "detection", "YOLOv5's own repository, v6, v7: (N, 5+classes), with objectness",
        {"layout": "yolov5", "iou": 0.45}, _YOLO,
    ),
    "yolo-end2end": Family(
        "detection", "v10, 26, or nms=True: rows x0 y0 x1 y1 score class, pixels",
        _rows(_XYXY_ROWS), _YOLO,
    ),
    "yolov7-end2end": Family(
        "detection", "v7, v6 end2end: rows image x0 y0 x1 y1 class score, no batch axis",
        _rows(["image", "x0", "y0", "x1", "y1", "class", "score"]), _YOLO,
    ),
    "yolo-nas": Family(
        "detection", "YOLO-NAS: boxes (N, 4) and scores (N, classes)",
        {"layout": "boxes_scores", "boxes": 0, "scores": 1, "iou": 0.65}, _YOLO,
    ),
    "yolo-nas-flat": Family(
        "detection", "YOLO-NAS flat: rows image x0 y0 x1 y1 score class, no batch axis",
        _rows(["image", *_XYXY_ROWS]), _YOLO,
    ),
    "yolox": Family(
        "detection", "YOLOX: (N, 5+classes), not decoded",
        {"layout": "yolox", "iou": 0.45},
        {**_YOLO, "colour": "bgr", "normalise": "none", "pad_at": "end"},
    ),
    "yolox-decoded": Family(
        "detection", "YOLOX with --decode_in_inference",
        {"layout": "yolov5", "iou": 0.45},
        {**_YOLO, "colour": "bgr", "normalise": "none", "pad_at": "end"},
    ),
    "rtdetr-ultralytics": Family(
        "detection", "RT-DETR from Ultralytics: rows cx cy w h score class, 0 to 1, stretched",
        _rows(["cx", "cy", "w", "h", "score", "class"], units="fraction"), _STRETCHED,
    ),
    "rtdetr-ultralytics-raw": Family(
        "detection", "RT-DETR from Ultralytics before 8.4.50: (N, 4+classes), 0 to 1, stretched",
        {"layout": "boxes_scores", "boxes": 0, "scores": 0, "box": "cxcywh", "units": "fraction"},
        _STRETCHED,
    ),
    "rtdetr": Family(
        "detection", "RT-DETR, D-FINE, DEIM: labels, boxes, scores; input orig_target_sizes",
        {"layout": "boxes_labels_scores", "boxes": "boxes", "labels": "labels", "scores": "scores"},
        _STRETCHED, 0.5,
    ),
    "rfdetr": Family(
        "detection", "RF-DETR: dets cx cy w h and labels (logits), 0 to 1",
        {"layout": "boxes_scores", "boxes": "dets", "scores": "labels", "box": "cxcywh",
         "units": "fraction", "activation": "sigmoid"},
        {**_STRETCHED, "normalise": "imagenet"}, 0.5,
    ),
    "detr-hf": Family(
        "detection", "Hugging Face DETR: logits with a last class for nothing, softmax",
        {"layout": "boxes_scores", "boxes": "pred_boxes", "scores": "logits", "box": "cxcywh",
         "units": "fraction", "activation": "softmax", "background": "last"},
        {**_STRETCHED, "normalise": "imagenet"}, 0.5,
    ),
    "rtdetr-hf": Family(
        "detection", "Hugging Face RT-DETR, D-FINE: logits, sigmoid",
        {"layout": "boxes_scores", "boxes": "pred_boxes", "scores": "logits", "box": "cxcywh",
         "units": "fraction", "activation": "sigmoid"},
        _STRETCHED, 0.5,
    ),
    "paddle": Family(
        "detection", "PaddleDetection: rows class score x0 y0 x1 y1, input scale_factor",
        _rows(["class", "score", "x0", "y0", "x1", "y1"]),
        {**_STRETCHED, "normalise": "imagenet"}, 0.5,
    ),
    "mmdeploy": Family(
        "detection", "mmdeploy: dets x0 y0 x1 y1 score, labels",
        {"layout": "boxes_labels_scores", "boxes": "dets", "scores": "dets", "labels": "labels"},
        {**_YOLO, "normalise": "imagenet"}, 0.3,
    ),
    "tf2-detection": Family(
        "detection", "TensorFlow 2 Object Detection: boxes y x y x, 0 to 1, classes from 1",
        {"layout": "boxes_labels_scores", "boxes": "detection_boxes",
         "labels": "detection_classes", "scores": "detection_scores", "count": "num_detections",
         "box": "yxyx", "units": "fraction", "class_base": 1},
        {"colour": "rgb", "resize": "stretch"}, 0.3,
    ),
    "ssd-mxnet": Family(
        "ssd_detection", "MXNet, SageMaker: rows class score x0 y0 x1 y1, 0 to 1", {},
        {"colour": "rgb", "resize": "stretch"}, 0.2,
    ),
    "yolov8-seg": Family(
        "instance_segmentation", "Ultralytics segment: (4+classes+32, N) and prototypes",
        {"layout": "yolov8", "boxes": 0, "prototypes": 1, "iou": 0.7}, _YOLO,
    ),
    "yolo-end2end-seg": Family(
        "instance_segmentation", "the same with rows x0 y0 x1 y1 score class and 32 masks",
        _rows([*_XYXY_ROWS, "mask"], boxes=0, prototypes=1), _YOLO,
    ),
    "semantic": Family(
        "semantic_segmentation", "a class for each pixel: logits (classes, h, w)",
        {"layout": "logits"}, {**_STRETCHED, "normalise": "imagenet"}, 0.5,
    ),
    "semantic-last": Family(
        "semantic_segmentation", "a class for each pixel: logits (h, w, classes), TensorFlow",
        {"layout": "logits_last"}, {"colour": "rgb", "normalise": "-1-1", "resize": "stretch"}, 0.5,
    ),
    "semantic-classes": Family(
        "semantic_segmentation", "a class for each pixel: numbers (h, w)",
        {"layout": "classes"}, _YOLO, 0.5,
    ),
    "semantic-binary": Family(
        "semantic_segmentation", "a probability for each pixel: (1, h, w)",
        {"layout": "probability"}, _STRETCHED, 0.5,
    ),
    "anomalib": Family(
        "anomaly", "Anomalib 2: pred_score and anomaly_map",
        {"score": "pred_score", "map": "anomaly_map"}, _STRETCHED, 0.5,
    ),
    "anomaly-map": Family(
        "anomaly", "an anomaly map alone: (1, h, w), 0 to 1",
        {"map": 0}, _STRETCHED, 0.5,
    ),
    "torchvision": Family(
        "classification", "torchvision's classifiers: ImageNet, shorter side + crop", {},
        {**_CROP, "normalise": "imagenet", "interpolation": "area"}, 0.01,
    ),
    "timm": Family(
        "classification", "timm's classifiers: ImageNet, shorter side + crop, bicubic", {},
        {**_CROP, "normalise": "imagenet", "interpolation": "bicubic"}, 0.01,
    ),
    "ultralytics-cls": Family(
        "classification", "Ultralytics classify: 0 to 1, shorter side + crop", {},
        {**_CROP, "normalise": "0-1", "interpolation": "area"}, 0.01,
    ),
    "efficientnet-lite": Family(
        "classification", "EfficientNet-Lite", {},
        {**_CROP, "normalise": "efficientnet-lite", "interpolation": "bicubic"}, 0.01,
    ),
    "keras-tf": Family(
        "classification", "Keras, mode tf: -1 to 1, stretched", {},
        {"colour": "rgb", "normalise": "-1-1", "resize": "stretch"}, 0.01,
    ),
    "caffe": Family(
        "classification", "Caffe, Keras mode caffe: BGR minus mean, stretched", {},
        {"colour": "bgr", "normalise": "caffe", "resize": "stretch"}, 0.01,
    ),
    "raw": Family(
        "classification", "pixels 0 to 255 as they are, stretched", {},
        {"colour": "rgb", "resize": "stretch"}, 0.01,
    ),
    "unit": Family(
        "classification", "pixels 0 to 1, stretched", {}, _STRETCHED, 0.01,
    ),
}  # fmt: skip


def of_task(task: str) -> list[str]:
    return [name for name, family in FAMILIES.items() if family.task == task]
