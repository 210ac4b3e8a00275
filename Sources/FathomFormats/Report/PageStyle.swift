/// Colours are variables, so that light, dark and paper differ in these lines alone. Figures take the classes that `Drawing` gives them.
let pageStyle = """
    :root{color-scheme:light dark;--paper:#fff;--ink:#1b1f24;--soft:#59636e;--edge:#d5dae0;--grid:#e7eaee;--panel:#f6f8fa;--gap:#e3e5e8;--bad:#b3261e;\
    --c0:#0072b2;--c1:#d55e00;--c2:#009e73;--c3:#b8578f;--c4:#a87200;--c5:#3a9bd9;--c6:#1b1f24}
    @media screen and (prefers-color-scheme:dark){:root{--paper:#14171b;--ink:#e6e9ed;--soft:#9aa4af;--edge:#39414a;--grid:#282e35;--panel:#1c2026;--gap:#2d333a;\
    --bad:#ff8a80;--c0:#4ba3e3;--c1:#f0803c;--c2:#2fc498;--c3:#dd8fbb;--c4:#e6a52e;--c5:#8fd0f5;--c6:#e6e9ed}}
    *{box-sizing:border-box}html{-webkit-text-size-adjust:100%;text-size-adjust:100%}
    body{margin:0;background:var(--paper);color:var(--ink);font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans","DejaVu Sans",sans-serif}
    main{max-width:1120px;margin:0 auto;padding:20px 16px 48px}
    h1{font-size:24px;line-height:1.25;margin:0 0 4px;overflow-wrap:anywhere}h2{font-size:18px;margin:32px 0 8px;padding-top:12px;border-top:1px solid var(--edge)}
    p,ul{max-width:80ch;margin:8px 0;overflow-wrap:anywhere}ul{padding-left:20px}.whole{white-space:nowrap}.subtitle{color:var(--soft)}
    .verdict{font-size:17px;padding:10px 14px;background:var(--panel);border-left:4px solid var(--c0);max-width:none}.verdict.bad{border-left-color:var(--bad)}
    pre{background:var(--panel);padding:12px;overflow-x:auto;font:13px/1.45 ui-monospace,Menlo,Consolas,"DejaVu Sans Mono",monospace;white-space:pre-wrap;overflow-wrap:anywhere}
    /* Shadows at the sides where a table goes on. */
    .wide{overflow-x:auto;margin:8px 0;background:linear-gradient(90deg,var(--paper) 30%,transparent),linear-gradient(270deg,var(--paper) 30%,transparent) 100% 0,\
    radial-gradient(farthest-side at 0 50%,var(--edge),transparent),radial-gradient(farthest-side at 100% 50%,var(--edge),transparent) 100% 0;background-repeat:no-repeat;\
    background-size:36px 100%,36px 100%,12px 100%,12px 100%;background-attachment:local,local,scroll,scroll}table{border-collapse:collapse;font-variant-numeric:tabular-nums}
    th,td{text-align:left;vertical-align:top;padding:4px 14px 4px 0;border-bottom:1px solid var(--grid)}th{font-weight:600}.right{text-align:right}td.right{white-space:nowrap}
    .facts th{font-weight:400;color:var(--soft);white-space:nowrap}.facts td{overflow-wrap:anywhere}
    .figures{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,430px),1fr));gap:20px 28px;align-items:start;margin:12px 0}
    figure{margin:0;min-width:0;break-inside:avoid}figcaption{margin-bottom:6px}figcaption span{display:block;color:var(--soft);font-size:13px;line-height:1.4}
    figure>svg{display:block;width:100%;height:auto;overflow:hidden}
    text{font-size:12px;fill:var(--ink)}.small{font-size:11px}.label{fill:var(--soft)}.end{text-anchor:end}.middle{text-anchor:middle}
    .name{paint-order:stroke;stroke:var(--paper);stroke-width:3.6;stroke-linejoin:round}
    .c0{color:var(--c0)}.c1{color:var(--c1)}.c2{color:var(--c2)}.c3{color:var(--c3)}.c4{color:var(--c4)}.c5{color:var(--c5)}.c6{color:var(--c6)}
    .grid,.axis,.mark,.line,.over,.halo{fill:none;stroke-linejoin:round;stroke-linecap:round}.grid{stroke:var(--grid)}.axis{stroke:var(--soft)}
    .mark{stroke:var(--soft);stroke-dasharray:2 4}.line{stroke:currentColor;stroke-width:1.7}.theory{stroke-dasharray:6 4}.raw{stroke-width:1;opacity:.3}.error{stroke-width:1.1}
    .point{fill:currentColor}.many{fill-opacity:.45}.bar{fill:currentColor;fill-opacity:.55;stroke:currentColor;stroke-width:.8}.gap{fill:var(--gap)}.cell{fill:currentColor;shape-rendering:crispEdges}
    .halo{stroke:#000;stroke-width:3.6}.over{stroke:#fff;stroke-width:1.6}.over,.halo{pointer-events:none}
    .tip{fill:transparent;pointer-events:all}.tip:hover{fill:var(--soft);fill-opacity:.16}
    @media (max-width:480px){body{font-size:14px}main{padding:14px 12px 32px}.facts th{white-space:normal}}
    @media print{main{max-width:none;padding:0}h2{break-after:avoid}.figures{grid-template-columns:1fr 1fr;gap:14px 18px}.wide{overflow:visible}\
    .cell{stroke:currentColor;stroke-width:.6;vector-effect:non-scaling-stroke}\
    *{print-color-adjust:exact;-webkit-print-color-adjust:exact}}
    """
