/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REPORT_PAGE_H
#define REPORT_PAGE_H

/* The files of page/, put together by the build; each ends with a '\0'. */
extern const char page_html[], page_css[], page_js[];

#endif
