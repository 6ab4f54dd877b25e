/*
 * The page of a profile. The data is a tree of frames in preorder and a list
 * of samples at its nodes, gzip-compressed and in base64 (see html.c).
 *
 * Why it is as it is: a profile may have a million nodes, so everything about
 * nodes is in typed arrays and done in linear passes; objects (boxes) are
 * made only for what is wide enough to be seen, when it is looked at.
 */
(() => {
'use strict';
const $ = id => document.getElementById(id);
const ROW = 18, MIN_WIDTH = 0.6, TABLE_ROWS = 1000, GRAPH_NODES = 40, GRAPH_LEAST = 0.005;
let P;     /* the profile as read */
let T;     /* the tree for the type and group chosen */
let selected = null, history_ = [];
const S = { view: 'flame', type: 0, group: '', width: 'both', q: '', zoom: '', f: -1, sort: 'self', flip: 0, theme: '' };
