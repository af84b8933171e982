const letter = (text: string, more = ''): string =>
  `<text x="10" y="14.5" text-anchor="middle" ${more}>${text}</text>`
const lines = (path: string): string => `<path d="${path}" />`

/** Drawn on a square of 20; strokes and letters take the colour of the button. */
export const ICONS = {
  undo: lines('M4.5 8h7a4 4 0 0 1 0 8H9M4.5 8l3-3M4.5 8l3 3'),
  redo: lines('M15.5 8h-7a4 4 0 0 0 0 8H11M15.5 8l-3-3M15.5 8l-3 3'),
  h1: lines('M3.5 5v10M10 5v10M3.5 10H10M13.5 9.5l2.5-1.7V15'),
  h2: lines('M3.5 5v10M10 5v10M3.5 10H10M13 9.3c.5-2 4-2 4 .2 0 1.7-2.5 3-4 5.5h4'),
  h3: lines(
    'M3.5 5v10M10 5v10M3.5 10H10M13 8.5c1-1.5 4-1 3.8 1-.1 1.2-1.3 1.7-2.3 1.7 1 0 2.5.5 2.5 1.9 0 2.2-3.2 2.5-4.2.9',
  ),
  bold: letter('B', 'style="font-weight:800"'),
  italic: letter('I', 'style="font-style:italic;font-family:serif;font-size:15px"'),
  underline: letter('U', 'style="text-decoration:underline"'),
  strike: letter('S', 'style="text-decoration:line-through"'),
  code: lines('M7.5 6 3.5 10l4 4M12.5 6l4 4-4 4'),
  link: lines(
    'M8.5 11.5a3 3 0 0 0 4.2 0l2.4-2.4a3 3 0 0 0-4.2-4.2l-.9.9M11.5 8.5a3 3 0 0 0-4.2 0l-2.4 2.4a3 3 0 0 0 4.2 4.2l.9-.9',
  ),
  bulletList: lines('M8 5.5h8.5M8 10h8.5M8 14.5h8.5M4 5.5h.01M4 10h.01M4 14.5h.01'),
  orderedList: lines(
    'M9 5.5h7.5M9 10h7.5M9 14.5h7.5M3.8 4.4 5 3.5V8M3.5 12.6c.3-1.3 2.3-1.2 2.2.1-.1.9-1.5 1.7-2.2 2.8h2.3',
  ),
  taskList: lines('M10.5 5.5h6M10.5 14.5h6M3.5 5.5l1.5 1.5 3-3.2M3.5 14.5 5 16l3-3.2'),
  blockquote: lines('M4.5 5v10M8.5 6.5h8M8.5 10h8M8.5 13.5h5'),
  codeBlock: `<rect x="3" y="4" width="14" height="12" rx="2" />${lines('M8 8l-2 2 2 2M12 8l2 2-2 2')}`,
} as const

export type IconName = keyof typeof ICONS
